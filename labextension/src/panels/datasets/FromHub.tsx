import { useEffect, useState } from 'preact/hooks';
import { usePanel } from '../context';
import { bytes, integer } from '../lib/format';
import { isRepoId } from '../lib/repos';
import { count, t } from '../messages';
import type { DatasetRequest } from '../types';
import { Button } from '../ui/Button';
import { CheckField } from '../ui/CheckField';
import { ErrorNote, WarningNote } from '../ui/ErrorNote';
import { Facts } from '../ui/Facts';
import type { Fact } from '../ui/Facts';
import { NumberField, SelectField, TextField } from '../ui/Field';
import { useAction, useFetch } from '../ui/hooks';
import { HubSearch } from '../ui/HubSearch';
import { Disclosure } from '../ui/Section';
import { useDebounced } from '../ui/useDebounced';
import type { SourceProps } from './AddDataset';
import type { HubConfig, HubDataset } from './types';

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
      {found && <Card key={found.repo_id} dataset={found} onChange={setChoice} />}
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
          disabled={!isRepoId(picked ?? text.trim()) || choice?.splits?.length === 0}
          onClick={submit}
        >
          {t('hubCard.download')}
        </Button>
        <Button onClick={onClose}>{t('action.close')}</Button>
      </div>
    </>
  );
}

interface CardProps {
  dataset: HubDataset;
  onChange: (choice: DatasetRequest) => void;
}

/** What a repository has, and which part of it is wanted. */
function Card({ dataset, onChange }: CardProps) {
  const first = dataset.configs.find(config => config.default) ?? dataset.configs[0];
  const [name, setName] = useState(first?.name ?? '');
  const config = dataset.configs.find(each => each.name === name) ?? first;
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const [column, setColumn] = useState('');
  const [rows, setRows] = useState<number | null>(null);

  const tell = (
    part: HubConfig | undefined,
    without: ReadonlySet<string>,
    text: string,
    most: number | null
  ): void => {
    const body: DatasetRequest = { source: 'hub' };
    if (part && dataset.configs.length > 1) {
      body.config = part.name;
    }
    const splits = (part?.splits ?? []).map(split => split.name).filter(s => !without.has(s));
    if (without.size > 0) {
      body.splits = splits;
    }
    if (text !== '') {
      body.text_column = text;
    }
    if (most !== null) {
      body.max_rows = most;
    }
    onChange(body);
  };
  const facts: Fact[] = [
    [t('hubCard.license'), dataset.license ?? t('hubCard.license.none')],
    [t('fact.size'), bytes(dataset.total_bytes)],
    [t('hubCard.files'), integer(dataset.n_files)]
  ];
  if (dataset.gated) {
    facts.push([t('hubCard.access'), t('hubSearch.gated')]);
  }
  return (
    <div class="jp-mistudio-hubcard" data-testid="mistudio-hubcard">
      <Facts facts={facts} label={dataset.repo_id} />
      {dataset.configs.length > 1 && (
        <SelectField
          label={t('field.config')}
          value={name}
          options={dataset.configs.map(each => ({ value: each.name, label: each.name }))}
          onChange={value => {
            const next = dataset.configs.find(each => each.name === value);
            setName(value);
            setLeft(new Set());
            setColumn('');
            tell(next, new Set(), '', rows);
          }}
        />
      )}
      {config && config.splits.length > 0 && (
        <fieldset class="jp-mistudio-splits">
          <legend>{t('hubCard.splits')}</legend>
          {config.splits.map(split => (
            <CheckField
              key={split.name}
              label={[
                split.name,
                split.n_rows === null ? '' : count(split.n_rows, 'row', integer(split.n_rows)),
                split.download_bytes === null ? '' : bytes(split.download_bytes)
              ]
                .filter(Boolean)
                .join(' · ')}
              checked={!left.has(split.name)}
              onChange={wanted => {
                const without = new Set(left);
                if (wanted) {
                  without.delete(split.name);
                } else {
                  without.add(split.name);
                }
                setLeft(without);
                tell(config, without, column, rows);
              }}
            />
          ))}
        </fieldset>
      )}
      <div class="jp-mistudio-fields">
        {config?.columns && config.columns.length > 0 && (
          <SelectField
            label={t('field.textColumn')}
            value={column}
            options={[
              { value: '', label: t('hubCard.column.auto') },
              ...config.columns.map(each => ({
                value: each.name,
                label: `${each.name} (${each.dtype})`
              }))
            ]}
            onChange={value => {
              setColumn(value);
              tell(config, left, value, rows);
            }}
          />
        )}
        <NumberField
          label={t('field.maxRows')}
          hint={t('hubCard.maxRows.hint')}
          optional
          value={rows}
          onChange={value => {
            setRows(value);
            tell(config, left, column, value);
          }}
        />
      </div>
    </div>
  );
}
