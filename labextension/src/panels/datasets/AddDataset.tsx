import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { t } from '../messages';
import type { Dataset, DatasetRequest } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { NumberField, SelectField, TextField } from '../ui/Field';
import { useAction } from '../ui/hooks';
import { Disclosure } from '../ui/Section';

type Source = 'hub' | 'path';

const SHOWN_AT_FIELD = new Set([
  'path',
  'repo_id',
  'config',
  'revision',
  'split',
  'text_column',
  'column',
  'name',
  'max_rows',
  'token'
]);

interface Props {
  onAdded: (dataset: Dataset) => void;
  onClose: () => void;
}

/** The form that registers a dataset from the Hub or from the server's disk. */
export function AddDataset({ onAdded, onClose }: Props) {
  const { store } = usePanel();
  const [source, setSource] = useState<Source>('hub');
  const [values, setValues] = useState<Record<string, string>>({});
  const [maxRows, setMaxRows] = useState<number | null>(null);
  const set = (key: string) => (value: string) => setValues(old => ({ ...old, [key]: value }));
  const get = (key: string): string => values[key]?.trim() ?? '';

  const add = useAction(async () => {
    const body: DatasetRequest = { source };
    const keys =
      source === 'hub'
        ? (['repo_id', 'config', 'revision', 'split', 'text_column', 'name', 'token'] as const)
        : (['path', 'text_column', 'name'] as const);
    for (const key of keys) {
      if (get(key)) {
        body[key] = get(key);
      }
    }
    if (maxRows !== null) {
      body.max_rows = maxRows;
    }
    const { dataset, job } = await store.api.addDataset(body);
    store.datasets.upsert(dataset);
    if (job) {
      store.jobs.upsert(job);
    }
    onAdded(dataset);
  });
  const at = (...fields: string[]): string | null =>
    add.error?.field && fields.includes(add.error.field)
      ? [add.error.message, add.error.hint].filter(Boolean).join(' ')
      : null;
  const submit = (): void => void add.run();

  return (
    <div class="jp-mistudio-form jp-mistudio-card" role="group" aria-label={t('datasets.add')}>
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
          placeholder={t('datasets.repo.placeholder')}
          error={at('repo_id')}
        />
      ) : (
        <TextField
          label={t('field.path')}
          value={values['path'] ?? ''}
          onChange={set('path')}
          onEnter={submit}
          hint={t('datasets.path.hint')}
          error={at('path')}
        />
      )}
      <Disclosure title={t('field.more')} open={Boolean(at('config', 'split', 'text_column'))}>
        <div class="jp-mistudio-fields">
          {source === 'hub' && (
            <>
              <TextField
                label={t('field.config')}
                optional
                value={values['config'] ?? ''}
                onChange={set('config')}
                error={at('config')}
              />
              <TextField
                label={t('field.split')}
                optional
                value={values['split'] ?? ''}
                onChange={set('split')}
                error={at('split')}
              />
            </>
          )}
          <TextField
            label={t('field.textColumn')}
            optional
            value={values['text_column'] ?? ''}
            onChange={set('text_column')}
            error={at('text_column', 'column')}
          />
          <NumberField
            label={t('field.maxRows')}
            optional
            value={maxRows}
            onChange={setMaxRows}
            error={at('max_rows')}
          />
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
