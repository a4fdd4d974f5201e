import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useUid } from './hooks';
import { Icon } from './Icon';

interface Props {
  title: string;
  children: ComponentChildren;
  /** Something short after the title, e.g. a count. */
  aside?: ComponentChildren;
}

/** A titled part of a panel. */
export function Section({ title, aside, children }: Props) {
  const id = useUid('section');
  return (
    <section class="jp-mistudio-section" aria-labelledby={id}>
      <div class="jp-mistudio-section-head">
        <h3 id={id}>{title}</h3>
        {aside !== undefined && <span class="jp-mistudio-aside">{aside}</span>}
      </div>
      {children}
    </section>
  );
}

/** Title of a part of a section. */
export function Subtitle({ children }: { children: ComponentChildren }) {
  return <h4 class="jp-mistudio-subtitle">{children}</h4>;
}

interface DisclosureProps extends Props {
  open?: boolean;
  /** Something below the title that shows in either state. */
  under?: ComponentChildren;
}

/** A part that can be folded away; its content is made when it is first opened. */
export function Disclosure({ title, aside, under, open = false, children }: DisclosureProps) {
  const id = useUid('disclosure');
  const [shown, setShown] = useState(open);
  useEffect(() => {
    // An error inside must not stay folded away.
    if (open) {
      setShown(true);
    }
  }, [open]);
  return (
    <section class="jp-mistudio-section jp-mistudio-disclosure">
      <h3>
        <button
          type="button"
          aria-expanded={shown}
          aria-controls={id}
          onClick={() => setShown(!shown)}
        >
          <Icon name="chevron" />
          <span>{title}</span>
          {aside !== undefined && <span class="jp-mistudio-aside">{aside}</span>}
        </button>
      </h3>
      {under}
      <div id={id} hidden={!shown}>
        {shown && children}
      </div>
    </section>
  );
}
