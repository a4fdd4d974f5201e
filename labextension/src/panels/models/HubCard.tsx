import { useEffect, useState } from 'preact/hooks';
import { usePanel } from '../context';
import { bytes, compact, integer } from '../lib/format';
import { t } from '../messages';
import type { Device, ModelRequest } from '../types';
import { Button } from '../ui/Button';
import { CheckField } from '../ui/CheckField';
import { ErrorNote, WarningNote } from '../ui/ErrorNote';
import { Facts } from '../ui/Facts';
import { NumberField, SelectField, TextField } from '../ui/Field';
import { useAction, useFetch } from '../ui/hooks';
import { Disclosure } from '../ui/Section';
import { useDebounced } from '../ui/useDebounced';
import { formatOf } from './formats';
import { FormatsTable } from './FormatsTable';
import { diskHasRoom, firstFormat, freeBytes, hasOwnCode, publishedAs } from './hub';
import type { HubModel } from './hub';

/** The engine's own first batch: what the memory for an extraction is estimated with. */
const BATCH_TOKENS = 8192;

interface Props {
  repo: string;
  revision: string;
  token: string;
  onToken: (token: string) => void;
  onAdd: (request: ModelRequest) => Promise<void>;
}

/** One repository before it is downloaded: what it is, what it takes, and the button. */
export function HubCard({ repo, token, onToken, revision, onAdd }: Props) {
  const { store } = usePanel();
  const [batch, setBatch] = useState<number | null>(BATCH_TOKENS);
  const tokens = useDebounced(batch ?? BATCH_TOKENS, 300);
  const key = useDebounced(token, 300);
  const found = useFetch(`${repo} ${key} ${tokens}`, signal =>
    store.api.hubRepository<HubModel>('models', repo, key, signal, { batch_tokens: tokens })
  );
  if (found.error) {
    return (
      <>
        <ErrorNote error={found.error} onRetry={found.reload} />
        {[401, 403, 404].includes(found.error.status) && <Token token={token} onToken={onToken} />}
      </>
    );
  }
  if (found.value?.repo_id === undefined || (found.loading && found.value.repo_id !== repo)) {
    return (
      <div class="jp-mistudio-loading" role="status">
        {t('card.loading', { name: repo })}
      </div>
    );
  }
  return (
    <Card
      key={found.value.repo_id}
      model={found.value}
      revision={revision}
      token={token}
      onToken={onToken}
      batch={batch}
      onBatch={setBatch}
      onAdd={onAdd}
    />
  );
}

interface CardProps extends Omit<Props, 'repo'> {
  model: HubModel;
  batch: number | null;
  onBatch: (batch: number | null) => void;
}

function Card({ model, token, onToken, revision, batch, onBatch, onAdd }: CardProps) {
  const { store } = usePanel();
  const devices = store.system.value?.devices ?? [];
  const [deviceId, setDevice] = useState(model.recommendation?.device ?? '');
  const device = devices.find(each => each.id === deviceId) ?? devices[0];
  const [format, setFormat] = useState(() => firstFormat(model));
  const [ownCode, setOwnCode] = useState(false);
  const [name, setName] = useState('');
  const codeAllowed = store.system.value?.capabilities?.remote_code === true;
  // Code is trusted at one commit: the one that is shown, if the person named no other.
  const wanted = revision || (ownCode ? model.revision : null);
  const add = useAction(() =>
    onAdd({
      source: 'hub',
      repo_id: model.repo_id,
      ...(published ? {} : formatOf(format)),
      ...(wanted ? { revision: wanted } : {}),
      ...(token ? { token } : {}),
      ...(name.trim() ? { name: name.trim() } : {}),
      ...(ownCode ? { trust_remote_code: true } : {})
    })
  );
  // What was wrong with another request says nothing about this one.
  useEffect(add.clear, [format, token, revision, name, ownCode]);
  const row = model.formats.find(each => each.format === format);
  const published = publishedAs(model.config);
  return (
    <section class="jp-mistudio-hubcard" aria-label={model.repo_id}>
      <h3>{model.repo_id}</h3>
      <Facts
        facts={[
          [t('card.params'), model.n_params ? compact(model.n_params) : '–'],
          [t('card.download'), bytes(model.download_bytes)],
          [
            t('card.files'),
            t('card.files.value', { n: integer(model.n_files), bytes: bytes(model.total_bytes) })
          ],
          [t('card.license'), model.license ?? t('card.license.none')],
          [t('card.access'), accessOf(model)],
          [t('card.revision'), revision || (model.revision ?? '').slice(0, 8)]
        ]}
      />
      {!model.accessible && (
        <>
          <WarningNote message={t('card.gated')} />
          <Token token={token} onToken={onToken} />
        </>
      )}
      {model.warning && <WarningNote message={model.warning} />}
      {!diskHasRoom(model) && model.disk && (
        <WarningNote
          message={t('card.disk', {
            need: bytes(model.download_bytes),
            free: bytes(model.disk.free),
            reserve: bytes(model.disk.reserve)
          })}
        />
      )}
      {hasOwnCode(model) && (
        <>
          <WarningNote message={t(codeAllowed ? 'card.code' : 'card.code.refused')} />
          {codeAllowed && (
            <CheckField label={t('card.code.allow')} checked={ownCode} onChange={setOwnCode} />
          )}
        </>
      )}
      {published && <WarningNote message={t('format.published.only', { how: published })} />}
      {!published && model.formats.length > 0 && (
        <>
          <div class="jp-mistudio-hubcard-how">
            <DeviceChoice devices={devices} device={device} onChange={setDevice} />
            {model.formats.some(each => each.extraction_bytes) && (
              <NumberField label={t('card.batch')} value={batch} onChange={onBatch} />
            )}
          </div>
          <FormatsTable rows={model.formats} device={device} value={format} onChange={setFormat} />
          {row?.warning && <WarningNote message={row.warning} />}
          <p class="jp-mistudio-hint">{t('card.estimates')}</p>
        </>
      )}
      <Disclosure title={t('field.more')}>
        <TextField label={t('field.name')} optional value={name} onChange={setName} />
      </Disclosure>
      {add.error && <ErrorNote error={add.error} onDismiss={add.clear} />}
      <div class="jp-mistudio-actions">
        <Button kind="primary" busy={add.busy} onClick={() => void add.run()}>
          {t('models.download')}
        </Button>
      </div>
    </section>
  );
}

function accessOf(model: HubModel): string {
  if (model.private) {
    return t('card.access.private');
  }
  if (!model.gated) {
    return t('card.access.open');
  }
  return t(model.accessible ? 'card.access.granted' : 'card.access.needed');
}

function Token({ token, onToken }: { token: string; onToken: (token: string) => void }) {
  return (
    <TextField
      label={t('field.token')}
      hint={t('field.token.hint')}
      type="password"
      value={token}
      onChange={onToken}
    />
  );
}

interface DeviceProps {
  devices: readonly Device[];
  device: Device | undefined;
  onChange: (id: string) => void;
}

/** What this machine has free; a choice where it has more than one device. */
function DeviceChoice({ devices, device, onChange }: DeviceProps) {
  const said = (each: Device): string =>
    t('card.device.free', {
      name: each.name,
      free: bytes(freeBytes(each)),
      total: bytes(each.memory_total)
    });
  if (!device) {
    return null;
  }
  if (devices.length === 1) {
    return <p class="jp-mistudio-hint">{said(device)}</p>;
  }
  return (
    <SelectField
      label={t('card.device')}
      value={device.id}
      options={devices.map(each => ({ value: each.id, label: said(each) }))}
      onChange={onChange}
    />
  );
}
