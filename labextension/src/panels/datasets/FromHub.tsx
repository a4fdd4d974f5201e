import { useEffect, useState } from 'preact/hooks';
import { usePanel } from '../context';
import { isRepoId } from '../lib/repos';
import { t } from '../messages';
import type { DatasetRequest } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote, WarningNote } from '../ui/ErrorNote';
import { TextField } from '../ui/Field';
import { useAction, useFetch } from '../ui/hooks';
import { HubSearch } from '../ui/HubSearch';
import { Disclosure } from '../ui/Section';
import { useDebounced } from '../ui/useDebounced';
import type { SourceProps } from './AddDataset';
import { HubCard } from './HubCard';
import type { HubDataset } from './types';

/** Search, look at what a repository has, choose, download. The token lives in this form only. */
export function FromHub({ onAdded, onClose }: SourceProps) {
  const { store } = usePanel();
  const [text, setText] = useState('');
  const [picked, setPicked] = useState<string | null>(null);
  const [typed, setToken] = useState('');
  const token = useDebounced(typed.trim(), 400);
  // Once asked for, the field stays where it is.
  const [asked, setAsked] = useState(false);
  const [revision, setRevision] = useState('');
  const [choice, setChoice] = useState<DatasetRequest | null>(null);
  const repo = picked ?? '';
  const card = useFetch(picked && `${picked} ${token}`, signal =>
    store.api.hubRepository<HubDataset>('datasets', repo, token, signal)
  );
  const add = useAction(async () => {
    const body: DatasetRequest = { source: 'hub', repo_id: picked ?? text.trim(), ...choice };
    if (revision.trim() !== '') {
      body.revision = revision.trim();
    }
    if (typed.trim() !== '') {
      body.token = typed.trim();
    }
    onAdded(await store.addDataset(body));
  });
  const found = !card.loading && !card.error && card.value?.repo_id === picked ? card.value : null;
  const locked = found !== null && !found.accessible;
  const asks = locked || ['gated', 'no_access', 'repo_not_found'].includes(card.error?.code ?? '');
  useEffect(() => setAsked(before => before || asks), [asks]);
  const tokenField = (
    <TextField
      label={t('field.token')}
      hint={t('field.token.hint')}
      optional={!asks}
      type="password"
      value={typed}
      onChange={setToken}
      error={add.error?.field === 'token' ? add.error.message : null}
    />
  );
  const submit = (): void => void add.run();
  return (
    <>
      <HubSearch
        kind="datasets"
        value={text}
        token={token}
        onChange={value => {
          setText(value);
          setPicked(isRepoId(value.trim()) && value.trim() === picked ? picked : null);
          setChoice(null);
        }}
        onPick={setPicked}
        error={add.error?.field === 'repo_id' ? add.error.message : null}
      />
      {card.loading && <p class="jp-mistudio-hint">{t('hubCard.loading')}</p>}
      {card.error && <ErrorNote error={card.error} onRetry={card.reload} />}
      {locked && <WarningNote message={t('hubCard.locked')} />}
      {asked && tokenField}
      {found && <HubCard key={found.repo_id} dataset={found} onChange={setChoice} />}
      <Disclosure title={t('field.more')} open={add.error?.field === 'revision'}>
        <div class="jp-mistudio-fields">
          <TextField
            label={t('field.revision')}
            hint={t('field.revision.hint')}
            optional
            value={revision}
            onChange={setRevision}
            error={add.error?.field === 'revision' ? add.error.message : null}
          />
          {!asked && tokenField}
        </div>
      </Disclosure>
      {add.error && !['repo_id', 'token', 'revision'].includes(add.error.field ?? '') && (
        <ErrorNote error={add.error} />
      )}
      <div class="jp-mistudio-actions">
        <Button
          kind="primary"
          busy={add.busy}
          disabled={
            !isRepoId(picked ?? text.trim()) ||
            choice?.splits?.length === 0 ||
            choice?.columns?.length === 0
          }
          onClick={submit}
        >
          {t('hubCard.download')}
        </Button>
        <Button onClick={onClose}>{t('action.close')}</Button>
      </div>
    </>
  );
}
