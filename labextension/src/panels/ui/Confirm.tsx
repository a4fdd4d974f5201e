import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../messages';
import { Button } from './Button';
import { useUid } from './hooks';

interface Props {
  question: ComponentChildren;
  action: string;
  busy?: boolean;
  onConfirm: () => void;
  onCancel: () => void;
}

/**
 * A question in the place where it arose. It takes the focus, Escape is "no", and the focus goes
 * back to where it was. No modal layer: a cell's output or a shadow root is no place for one.
 */
export function Confirm({ question, action, busy, onConfirm, onCancel }: Props) {
  const id = useUid('confirm');
  const keep = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const root = keep.current?.getRootNode() as Document | ShadowRoot | undefined;
    const before = root?.activeElement as HTMLElement | null | undefined;
    keep.current?.focus();
    return () => {
      if (before?.isConnected) {
        before.focus();
      }
    };
  }, []);
  return (
    <div
      class="jp-mistudio-confirm"
      role="alertdialog"
      aria-labelledby={id}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          onCancel();
        }
      }}
    >
      <div id={id}>{question}</div>
      <div class="jp-mistudio-actions">
        <Button kind="danger" busy={busy} onClick={onConfirm}>
          {action}
        </Button>
        <Button buttonRef={keep} onClick={onCancel}>
          {t('action.keep')}
        </Button>
      </div>
    </div>
  );
}
