import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { t } from '../messages';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { Field } from '../ui/Field';
import { useAction } from '../ui/hooks';
import { createTemplate } from './api';
import { specOf, suggestedName } from './spec';
import type { Settings } from './spec';

interface Props {
  settings: Settings;
  nLayers: number | null;
  onSaved: (name: string) => void;
}

/** Saves the form's settings under a name; an empty one takes the suggestion. */
export function SaveTemplate({ settings, nLayers, onSaved }: Props) {
  const { store } = usePanel();
  const [name, setName] = useState('');
  const spec = specOf(settings, nLayers);
  const suggestion = spec ? suggestedName(spec, new Date()) : '';
  const save = useAction(async () => {
    if (spec) {
      const template = await createTemplate(store.api, { name: name.trim() || suggestion, spec });
      store.templates.upsert(template);
      setName('');
      onSaved(template.name);
    }
  });
  const atName = save.error?.field === 'name';
  return (
    <div class="jp-mistudio-template-save">
      <Field
        label={t('templates.name')}
        hint={spec ? undefined : t('templates.nothing')}
        error={atName ? [save.error?.message, save.error?.hint].filter(Boolean).join(' ') : null}
      >
        {({ id, describedBy, invalid }) => (
          <span class="jp-mistudio-inline">
            <input
              id={id}
              class="jp-mistudio-input"
              type="text"
              value={name}
              placeholder={suggestion}
              autocomplete="off"
              aria-describedby={describedBy}
              aria-invalid={invalid || undefined}
              onInput={event => {
                setName(event.currentTarget.value);
                save.clear();
              }}
              onKeyDown={event => {
                if (event.key === 'Enter' && !event.isComposing && !save.busy) {
                  void save.run();
                }
              }}
            />
            <Button busy={save.busy} disabled={!spec} onClick={() => void save.run()}>
              {t('templates.save')}
            </Button>
          </span>
        )}
      </Field>
      {save.error && !atName && <ErrorNote error={save.error} onDismiss={save.clear} />}
    </div>
  );
}
