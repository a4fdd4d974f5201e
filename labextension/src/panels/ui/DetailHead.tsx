import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../messages';
import { Button } from './Button';
import { Name } from './Name';
import { Pill } from './Pill';

interface Props {
  name: string;
  state: string;
  onBack?: () => void;
  takesFocus?: boolean;
  children?: ComponentChildren;
}

/** Head of an open record: the way back, its name, its state. Opened by hand it takes the focus. */
export function DetailHead({ name, state, onBack, takesFocus, children }: Props) {
  const back = useRef<HTMLButtonElement>(null);
  const head = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const scroller = head.current?.closest('[role=tabpanel]') ?? head.current?.parentElement;
    if (scroller) {
      scroller.scrollTop = 0;
    }
    if (takesFocus) {
      back.current?.focus();
    }
  }, []);
  return (
    <div class="jp-mistudio-toolbar" ref={head}>
      {onBack && (
        <Button
          kind="quiet"
          icon="back"
          label={t('action.back')}
          buttonRef={back}
          onClick={onBack}
        />
      )}
      <h2>
        <Name text={name} />
      </h2>
      <Pill state={state} />
      {children}
    </div>
  );
}
