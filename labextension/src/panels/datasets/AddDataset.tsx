import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { t } from '../messages';
import type { Dataset, DatasetRequest } from '../types';
import { NumberField } from '../ui/Field';
import { OptionalText, SourceForm, useSourceForm } from '../ui/SourceForm';

const KEYS = {
  hub: ['repo_id', 'config', 'revision', 'split', 'text_column', 'name', 'token'],
  path: ['path', 'text_column', 'name']
} as const;

interface Props {
  onAdded: (dataset: Dataset) => void;
  onClose: () => void;
}

/** The form that registers a dataset from the Hub or from the server's disk. */
export function AddDataset({ onAdded, onClose }: Props) {
  const { store } = usePanel();
  const [maxRows, setMaxRows] = useState<number | null>(null);
  const form = useSourceForm(KEYS, async (source, values) => {
    const body: DatasetRequest = { source, ...values };
    if (maxRows !== null) {
      body.max_rows = maxRows;
    }
    onAdded(await store.addDataset(body));
  });
  const hub = form.source === 'hub';
  return (
    <SourceForm
      form={form}
      title={t('datasets.add')}
      repoPlaceholder={t('datasets.repo.placeholder')}
      pathHint={t('datasets.path.hint')}
      onClose={onClose}
      fields={['column', 'max_rows', ...KEYS[form.source]]}
      more={
        <>
          {hub && <OptionalText form={form} name="config" label="field.config" />}
          {hub && <OptionalText form={form} name="split" label="field.split" />}
          <OptionalText
            form={form}
            name="text_column"
            label="field.textColumn"
            alsoAt={['column']}
          />
          <NumberField
            label={t('field.maxRows')}
            optional
            value={maxRows}
            onChange={setMaxRows}
            error={form.errorAt('max_rows')}
          />
          {hub && <OptionalText form={form} name="revision" label="field.revision" />}
          {hub && (
            <OptionalText
              form={form}
              name="token"
              label="field.token"
              hint="field.token.hint"
              secret
            />
          )}
          <OptionalText form={form} name="name" label="field.name" />
        </>
      }
    />
  );
}
