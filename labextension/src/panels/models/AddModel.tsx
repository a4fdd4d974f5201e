import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { t } from '../messages';
import type { Model, ModelRequest } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { SelectField, TextField } from '../ui/Field';
import { useAction } from '../ui/hooks';
import { Disclosure } from '../ui/Section';
import { FORMATS } from './formats';

type Source = 'hub' | 'path';

const SHOWN_AT_FIELD = new Set(['path', 'repo_id', 'revision', 'format', 'name', 'token']);

interface Props {
  onAdded: (model: Model) => void;
  onClose: () => void;
}

/** The form that registers a model from the Hub or from the server's disk. */
export function AddModel({ onAdded, onClose }: Props) {
  const { store } = usePanel();
  const [source, setSource] = useState<Source>('hub');
  const [format, setFormat] = useState('fp32');
  const [values, setValues] = useState<Record<string, string>>({});
  const set = (key: string) => (value: string) => setValues(old => ({ ...old, [key]: value }));
  const get = (key: string): string => values[key]?.trim() ?? '';

  const add = useAction(async () => {
    const body: ModelRequest = { source, format };
    const keys =
      source === 'hub'
        ? (['repo_id', 'revision', 'name', 'token'] as const)
        : (['path', 'name'] as const);
    for (const key of keys) {
      if (get(key)) {
        body[key] = get(key);
      }
    }
    const { model, job } = await store.api.addModel(body);
    store.models.upsert(model);
    if (job) {
      store.jobs.upsert(job);
    }
    onAdded(model);
  });
  const at = (field: string): string | null =>
    add.error?.field === field
      ? [add.error.message, add.error.hint].filter(Boolean).join(' ')
      : null;
  const submit = (): void => void add.run();

  return (
    <div class="jp-mistudio-form jp-mistudio-card" role="group" aria-label={t('models.add')}>
      <SelectField
        label={t('source.label')}
        value={source}
        options={[
          { value: 'hub', label: t('source.hub') },
          { value: 'path', label: t('source.path') }
        ]}
        onChange={value => setSource(value as Source)}
      />
      {source === 'hub' ? (
        <TextField
          label={t('field.repo')}
          value={values['repo_id'] ?? ''}
          onChange={set('repo_id')}
          onEnter={submit}
          placeholder={t('models.repo.placeholder')}
          error={at('repo_id')}
        />
      ) : (
        <TextField
          label={t('field.path')}
          value={values['path'] ?? ''}
          onChange={set('path')}
          onEnter={submit}
          hint={t('models.path.hint')}
          error={at('path')}
        />
      )}
      <SelectField
        label={t('field.format')}
        value={format}
        options={FORMATS}
        onChange={setFormat}
        error={at('format')}
      />
      <Disclosure title={t('field.more')} open={Boolean(at('revision') ?? at('token'))}>
        <div class="jp-mistudio-fields">
          {source === 'hub' && (
            <>
              <TextField
                label={t('field.revision')}
                optional
                value={values['revision'] ?? ''}
                onChange={set('revision')}
                error={at('revision')}
              />
              <TextField
                label={t('field.token')}
                optional
                type="password"
                value={values['token'] ?? ''}
                onChange={set('token')}
                hint={t('field.token.hint')}
                error={at('token')}
              />
            </>
          )}
          <TextField
            label={t('field.name')}
            optional
            value={values['name'] ?? ''}
            onChange={set('name')}
            error={at('name')}
          />
        </div>
      </Disclosure>
      {add.error && !(add.error.field && SHOWN_AT_FIELD.has(add.error.field)) && (
        <ErrorNote error={add.error} />
      )}
      <div class="jp-mistudio-actions">
        <Button
          kind="primary"
          busy={add.busy}
          disabled={!get(source === 'hub' ? 'repo_id' : 'path')}
          onClick={submit}
        >
          {t('action.add')}
        </Button>
        <Button onClick={onClose}>{t('action.close')}</Button>
      </div>
    </div>
  );
}
