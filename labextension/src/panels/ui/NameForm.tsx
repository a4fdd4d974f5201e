import { useEffect, useRef, useState } from 'preact/hooks';
import { t } from '../messages';
import { Button } from './Button';
import { TextField } from './Field';
import { useSubmit } from './useSubmit';

interface Props {
  label: string;
  /** What stands there at first. */
  name: string;
  /** Gives the name to the server; rejects with what is wrong with it. */
  onSave: (name: string) => Promise<void>;
  onClose: () => void;
}

/** A name in the place where it will be shown: Enter saves, Escape leaves it. */
export function NameForm({ label, name, onSave, onClose }: Props) {
  const [value, setValue] = useState(name);
  const form = useRef<HTMLDivElement>(null);
  const before = useRef<Element | null>(null);
  const save = useSubmit(async () => {
    if (value.trim() !== name) {
      await onSave(value.trim());
    }
    onClose();
  }, []);
  useEffect(() => {
    const root = form.current?.getRootNode() as Document | ShadowRoot;
    before.current = root.activeElement;
    const input = form.current?.querySelector('input');
    input?.focus();
    input?.select();
    return () => {
      if (before.current instanceof HTMLElement && before.current.isConnected) {
        before.current.focus();
      }
    };
  }, []);
  const submit = (): void => {
    if (value.trim() !== '') {
      save.submit();
    }
  };
  return (
    <div
      class="jp-mistudio-rename"
      ref={form}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          onClose();
        }
      }}
    >
      <TextField
        label={label}
        value={value}
        onChange={setValue}
        onEnter={submit}
        error={
          save.elsewhere && [save.elsewhere.message, save.elsewhere.hint].filter(Boolean).join(' ')
        }
      />
      <div class="jp-mistudio-actions">
        <Button kind="primary" busy={save.busy} disabled={value.trim() === ''} onClick={submit}>
          {t('rename.save')}
        </Button>
        <Button onClick={onClose}>{t('action.cancel')}</Button>
      </div>
    </div>
  );
}
