import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { t } from '../messages';
import { Button } from '../ui/Button';
import { Confirm } from '../ui/Confirm';
import { ErrorNote } from '../ui/ErrorNote';
import { SelectField } from '../ui/Field';
import { useAction, useFetch } from '../ui/hooks';
import { NameForm } from '../ui/NameForm';
import { changePreset, presets, removePreset, savePreset } from './rest';
import { asPreset, withPreset } from './settings';
import type { TokenizeForm } from './settings';
import type { Preset } from './types';

interface Props {
  form: TokenizeForm;
  onApply: (form: TokenizeForm) => void;
}

/** Settings under a name: apply, save, change, rename, delete. */
export function Presets({ form, onApply }: Props) {
  const { store } = usePanel();
  const [chosen, setChosen] = useState('');
  const [doing, setDoing] = useState<'save' | 'rename' | 'delete' | null>(null);
  const found = useFetch('presets', signal => presets(store.api, signal));
  const list = found.value ?? [];
  const preset = list.find(each => each.id === chosen);
  const told = (now: string): void => {
    setDoing(null);
    setChosen(now);
    found.reload();
  };
  const change = async (part: Partial<Preset>): Promise<void> => {
    told((await changePreset(store.api, chosen, part)).id);
  };
  const update = useAction(() => change({ settings: asPreset(form) }));
  const remove = useAction(async () => {
    await removePreset(store.api, chosen);
    told('');
  });
  const differs = preset && !sameSettings(form, withPreset(form, preset.settings));
  return (
    <div class="jp-mistudio-presets">
      {list.length > 0 && (
        <SelectField
          label={t('presets.label')}
          value={preset ? chosen : ''}
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
      {found.error && <ErrorNote error={found.error} onRetry={found.reload} />}
      <div class="jp-mistudio-actions">
        <Button kind="quiet" expanded={doing === 'save'} onClick={() => setDoing('save')}>
          {t('presets.save')}
        </Button>
        {preset && (
          <>
            {differs && (
              <Button kind="quiet" busy={update.busy} onClick={() => void update.run()}>
                {t('presets.change', { name: preset.name })}
              </Button>
            )}
            <Button
              kind="quiet"
              icon="edit"
              label={t('rename.named', { name: preset.name })}
              expanded={doing === 'rename'}
              onClick={() => setDoing('rename')}
            />
            <Button
              kind="quiet"
              icon="trash"
              label={t('action.deleteNamed', { name: preset.name })}
              onClick={() => setDoing('delete')}
            />
          </>
        )}
      </div>
      {doing === 'save' && (
        <NameForm
          label={t('presets.name')}
          name=""
          onSave={async name => told((await savePreset(store.api, name, asPreset(form))).id)}
          onClose={() => setDoing(null)}
        />
      )}
      {preset && doing === 'rename' && (
        <NameForm
          label={t('rename.label')}
          name={preset.name}
          onSave={name => change({ name })}
          onClose={() => setDoing(null)}
        />
      )}
      {preset && doing === 'delete' && (
        <Confirm
          question={t('presets.delete', { name: preset.name })}
          action={t('action.delete')}
          busy={remove.busy}
          onConfirm={() => void remove.run()}
          onCancel={() => setDoing(null)}
        />
      )}
      {update.error && <ErrorNote error={update.error} onDismiss={update.clear} />}
      {remove.error && <ErrorNote error={remove.error} onDismiss={remove.clear} />}
    </div>
  );
}

function sameSettings(a: TokenizeForm, b: TokenizeForm): boolean {
  return JSON.stringify(asPreset(a)) === JSON.stringify(asPreset(b));
}
