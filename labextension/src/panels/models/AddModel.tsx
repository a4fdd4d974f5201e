import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { t } from '../messages';
import type { Model, ModelRequest } from '../types';
import { Button } from '../ui/Button';
import { SelectField, TextField } from '../ui/Field';
import { HubSearch } from '../ui/HubSearch';
import { Disclosure } from '../ui/Section';
import { FormEnd, useSubmit } from '../ui/useSubmit';
import { FORMATS, formatOf } from './formats';
import { FoundHere } from './FoundHere';
import { HubCard } from './HubCard';

type From = 'hub' | 'path' | 'here';

interface Props {
  onAdded: (model: Model) => void;
  onClose: () => void;
}

/** Registers a model: from the Hub, from a folder, or one that is on this machine already. */
export function AddModel({ onAdded, onClose }: Props) {
  const { store } = usePanel();
  const [from, setFrom] = useState<From>('hub');
  const add = async (request: ModelRequest): Promise<void> =>
    onAdded(await store.addModel(request));
  return (
    <div class="jp-mistudio-form jp-mistudio-card" role="group" aria-label={t('models.add')}>
      <SelectField
        label={t('source.label')}
        value={from}
        options={(['hub', 'path', 'here'] as const).map(value => ({
          value,
          label: t(`models.from.${value}`)
        }))}
        onChange={value => setFrom(value as From)}
      />
      {from === 'hub' && <FromHub onAdd={add} />}
      {from === 'path' && <FromFolder onAdd={add} />}
      {from === 'here' && <FoundHere onAdd={add} />}
      <div class="jp-mistudio-actions">
        <Button onClick={onClose}>{t('action.close')}</Button>
      </div>
    </div>
  );
}

interface FromProps {
  onAdd: (request: ModelRequest) => Promise<void>;
}

function FromHub({ onAdd }: FromProps) {
  const [typed, setTyped] = useState('');
  const [repo, setRepo] = useState<string | null>(null);
  const [token, setToken] = useState('');
  const [revision, setRevision] = useState('');
  return (
    <>
      <HubSearch kind="models" value={typed} onChange={setTyped} onPick={setRepo} token={token} />
      <Disclosure title={t('field.more')}>
        <div class="jp-mistudio-fields">
          <TextField label={t('field.revision')} optional value={revision} onChange={setRevision} />
          <TextField
            label={t('field.token')}
            hint={t('field.token.hint')}
            optional
            type="password"
            value={token}
            onChange={setToken}
          />
        </div>
      </Disclosure>
      {repo && (
        <HubCard
          repo={repo}
          revision={revision.trim()}
          token={token}
          onToken={setToken}
          onAdd={onAdd}
        />
      )}
    </>
  );
}

function FromFolder({ onAdd }: FromProps) {
  const [path, setPath] = useState('');
  const [name, setName] = useState('');
  const [format, setFormat] = useState('fp32');
  const form = useSubmit(
    () =>
      onAdd({
        source: 'path',
        path: path.trim(),
        ...formatOf(format),
        ...(name.trim() ? { name: name.trim() } : {})
      }),
    ['path', 'name', 'format']
  );
  return (
    <>
      <TextField
        label={t('field.path')}
        hint={t('models.path.hint')}
        value={path}
        onChange={setPath}
        onEnter={form.submit}
        error={form.errorAt('path')}
      />
      <SelectField
        label={t('field.format')}
        value={format}
        options={FORMATS}
        onChange={setFormat}
        error={form.errorAt('format')}
      />
      <TextField
        label={t('field.name')}
        optional
        value={name}
        onChange={setName}
        error={form.errorAt('name')}
      />
      <FormEnd form={form} action={t('action.add')} disabled={path.trim() === ''} />
    </>
  );
}
