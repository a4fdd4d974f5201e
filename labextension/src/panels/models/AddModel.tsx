import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { t } from '../messages';
import type { Model, ModelRequest } from '../types';
import { SelectField } from '../ui/Field';
import { OptionalText, SourceForm, useSourceForm } from '../ui/SourceForm';
import { FORMATS } from './formats';

const KEYS = {
  hub: ['repo_id', 'revision', 'name', 'token'],
  path: ['path', 'name']
} as const;

interface Props {
  onAdded: (model: Model) => void;
  onClose: () => void;
}

/** The form that registers a model from the Hub or from the server's disk. */
export function AddModel({ onAdded, onClose }: Props) {
  const { store } = usePanel();
  const [format, setFormat] = useState('fp32');
  const form = useSourceForm(KEYS, async (source, values) => {
    const body: ModelRequest = { source, format, ...values };
    onAdded(await store.addModel(body));
  });
  const hub = form.source === 'hub';
  return (
    <SourceForm
      form={form}
      title={t('models.add')}
      repoPlaceholder={t('models.repo.placeholder')}
      pathHint={t('models.path.hint')}
      onClose={onClose}
      fields={['format', ...KEYS[form.source]]}
      more={
        <>
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
    >
      <SelectField
        label={t('field.format')}
        value={format}
        options={FORMATS}
        onChange={setFormat}
        error={form.errorAt('format')}
      />
    </SourceForm>
  );
}
