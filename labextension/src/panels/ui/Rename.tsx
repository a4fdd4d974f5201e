import { useEffect, useRef, useState } from 'preact/hooks';
import { t } from '../messages';
import { Button } from './Button';
import { TextField } from './Field';
import { useAction } from './hooks';

interface Props {
  name: string;
  /** Gives the new name to the server. */
  onRename: (name: string) => Promise<void>;
  onClose: () => void;
}

/** A new name in the place of the old one: Enter saves, Escape leaves it. */
export function Rename({ name, onRename, onClose }: Props) {
  const [value, setValue] = useState(name);
  const form = useRef<HTMLDivElement>(null);
  const before = useRef<Element | null>(null);
  const save = useAction(async () => {
    if (value.trim() !== name) {
      await onRename(value.trim());
    }
    onClose();
  });
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
        label={t('rename.label')}
        value={value}
        onChange={setValue}
        onEnter={() => void save.run()}
        error={save.error && [save.error.message, save.error.hint].filter(Boolean).join(' ')}
      />
      <div class="jp-mistudio-actions">
        <Button
          kind="primary"
          busy={save.busy}
          disabled={value.trim() === ''}
          onClick={() => void save.run()}
        >
          {t('rename.save')}
        </Button>
        <Button onClick={onClose}>{t('action.cancel')}</Button>
      </div>
    </div>
  );
}
