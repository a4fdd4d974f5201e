import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { t } from '../messages';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { SelectField, TextField } from '../ui/Field';
import { useAction, useFetch } from '../ui/hooks';
import { presets, removePreset, savePreset } from './rest';
import { asPreset, withPreset } from './settings';
import type { TokenizeForm } from './settings';

interface Props {
  form: TokenizeForm;
  onApply: (form: TokenizeForm) => void;
}

/** Settings under a name: apply, save, delete. */
export function Presets({ form, onApply }: Props) {
  const { store } = usePanel();
  const [chosen, setChosen] = useState('');
  const [name, setName] = useState<string | null>(null);
  const found = useFetch('presets', signal => presets(store.api, signal));
  const save = useAction(async () => {
    const made = await savePreset(store.api, (name ?? '').trim(), asPreset(form));
    setName(null);
    setChosen(made.id);
    found.reload();
  });
  const remove = useAction(async () => {
    await removePreset(store.api, chosen);
    setChosen('');
    found.reload();
  });
  const list = found.value ?? [];
  const preset = list.find(each => each.id === chosen);
  return (
    <div class="jp-mistudio-presets">
      {list.length > 0 && (
        <SelectField
          label={t('presets.label')}
          value={chosen}
          options={[
            { value: '', label: t('presets.none') },
            ...list.map(each => ({ value: each.id, label: each.name }))
          ]}
          onChange={id => {
            setChosen(id);
            const wanted = list.find(each => each.id === id);
            if (wanted) {
              onApply(withPreset(form, wanted.settings));
            }
          }}
        />
      )}
      {name === null ? (
        <div class="jp-mistudio-actions">
          <Button kind="quiet" onClick={() => setName('')}>
            {t('presets.save')}
          </Button>
          {preset && (
            <Button
              kind="quiet"
              icon="trash"
              busy={remove.busy}
              label={t('action.deleteNamed', { name: preset.name })}
              onClick={() => void remove.run()}
            />
          )}
        </div>
      ) : (
        <>
          <TextField
            label={t('presets.name')}
            value={name}
            onChange={setName}
            onEnter={() => void save.run()}
            error={save.error && [save.error.message, save.error.hint].filter(Boolean).join(' ')}
          />
          <div class="jp-mistudio-actions">
            <Button
              kind="primary"
              busy={save.busy}
              disabled={name.trim() === ''}
              onClick={() => void save.run()}
            >
              {t('rename.save')}
            </Button>
            <Button onClick={() => setName(null)}>{t('action.cancel')}</Button>
          </div>
        </>
      )}
      {remove.error && <ErrorNote error={remove.error} onDismiss={remove.clear} />}
    </div>
  );
}
