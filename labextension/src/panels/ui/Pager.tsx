import { Button } from './Button';

interface Props {
  /** What is paged through. */
  label: string;
  /** Where this page is, in words. */
  text: string;
  previous: string;
  next: string;
  /** Null at the first or the last page. */
  onPrevious: (() => void) | null;
  onNext: (() => void) | null;
}

/** One page back, one page on. */
export function Pager({ label, text, previous, next, onPrevious, onNext }: Props) {
  return (
    <div class="jp-mistudio-pager" role="group" aria-label={label}>
      <Button
        kind="quiet"
        icon="back"
        label={previous}
        disabled={onPrevious === null}
        onClick={() => onPrevious?.()}
      />
      <span role="status">{text}</span>
      <Button
        kind="quiet"
        icon="chevron"
        label={next}
        disabled={onNext === null}
        onClick={() => onNext?.()}
      />
    </div>
  );
}
