import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { JobControls } from '../jobs/JobControls';
import { JobProblem } from '../jobs/JobProblem';
import { JobProgress } from '../jobs/JobProgress';
import { problemOf, stateOf } from '../jobs/problem';
import { bytes, compact, integer } from '../lib/format';
import { count, t } from '../messages';
import type { Dataset } from '../types';
import { Button } from '../ui/Button';
import { Confirm } from '../ui/Confirm';
import { ErrorNote } from '../ui/ErrorNote';
import { useAction } from '../ui/hooks';
import { Pill } from '../ui/Pill';
import { Export } from './Export';
import { removeTokenization } from './rest';
import { tokenizationName } from './Statistics';
import { Tokenize } from './Tokenize';
import type { Tokenization } from './types';

interface Props {
  dataset: Dataset;
  split: string;
  list: readonly Tokenization[];
  reload: () => void;
}

/** The tokenizations of a dataset, and the form that makes another. */
export function Tokenizations({ dataset, split, list, reload }: Props) {
  const [making, setMaking] = useState(false);
  return (
    <div class="jp-mistudio-tokenizations" data-testid="mistudio-tokenizations">
      {list.length === 0 && !making && <p class="jp-mistudio-hint">{t('tokenize.none')}</p>}
      {list.length > 0 && (
        <ul class="jp-mistudio-list" aria-label={t('tokenize.list')}>
          {list.map(each => (
            <Row key={each.id} dataset={dataset.id} tokenization={each} onGone={reload} />
          ))}
        </ul>
      )}
      {dataset.text_column !== null && (
        <div class="jp-mistudio-actions">
          <Button icon="add" expanded={making} onClick={() => setMaking(!making)}>
            {t('tokenize.title')}
          </Button>
        </div>
      )}
      {making && (
        <Tokenize
          dataset={dataset}
          split={split}
          onStarted={() => {
            setMaking(false);
            reload();
          }}
          onClose={() => setMaking(false)}
        />
      )}
    </div>
  );
}

interface RowProps {
  dataset: string;
  tokenization: Tokenization;
  onGone: () => void;
}

function Row({ dataset, tokenization, onGone }: RowProps) {
  const { store } = usePanel();
  const [asking, setAsking] = useState(false);
  const [exporting, setExporting] = useState(false);
  const name = tokenizationName(tokenization, store.models);
  const job = store.jobs.get(tokenization.job_id);
  const record = { ...tokenization, name };
  const problem = problemOf(record, job);
  const remove = useAction(async () => {
    await removeTokenization(store.api, dataset, tokenization.id);
    onGone();
  });
  const facts: string[] = [];
  if (tokenization.n_tokens !== null) {
    facts.push(count(tokenization.n_tokens, 'token', compact(tokenization.n_tokens)));
  }
  if (tokenization.n_samples !== null) {
    facts.push(count(tokenization.n_samples, 'sample', integer(tokenization.n_samples)));
  }
  if (tokenization.bytes !== null) {
    facts.push(bytes(tokenization.bytes));
  }
  const left = Object.entries(tokenization.skipped).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number' && entry[1] > 0
  );
  if (left.length > 0) {
    const n = left.reduce((sum, [, each]) => sum + each, 0);
    facts.push(t('tokenize.skipped', { n: integer(n) }));
  }
  return (
    <li class="jp-mistudio-row">
      <div class="jp-mistudio-row-head">
        <span class="jp-mistudio-row-name">{name}</span>
        <Pill state={stateOf(record, job)} />
        {tokenization.state === 'ready' && (
          <Button
            kind="quiet"
            icon="download"
            label={t('export.title', { name })}
            expanded={exporting}
            onClick={() => setExporting(!exporting)}
          />
        )}
        <Button
          kind="quiet"
          icon="trash"
          label={t('action.deleteNamed', { name })}
          onClick={() => setAsking(true)}
        />
      </div>
      <div class="jp-mistudio-row-meta">{facts.join(' · ')}</div>
      <BadRows skipped={tokenization.skipped} />
      {exporting && (
        <Export
          dataset={dataset}
          id={tokenization.id}
          name={name}
          onClose={() => setExporting(false)}
        />
      )}
      {job && tokenization.state === 'pending' && <JobProgress job={job} label={name} />}
      <JobProblem problem={problem} job={job} name={name} />
      {tokenization.state !== 'ready' && (
        <div class="jp-mistudio-actions">
          <JobControls job={job} name={name} />
        </div>
      )}
      {remove.error && <ErrorNote error={remove.error} onDismiss={remove.clear} />}
      {asking && (
        <Confirm
          question={t('tokenize.delete', { name })}
          action={t('action.delete')}
          busy={remove.busy}
          onConfirm={() => void remove.run()}
          onCancel={() => setAsking(false)}
        />
      )}
    </li>
  );
}

/** Bad rows that are named one by one. */
const NAMED = 5;

/** Which rows could not be tokenised, and why. */
function BadRows({ skipped }: { skipped: Tokenization['skipped'] }) {
  const rows = (skipped['bad_rows'] ?? []) as { row: number; message: string }[];
  return (
    <>
      {rows.slice(0, NAMED).map(({ row, message }) => (
        <div key={row} class="jp-mistudio-row-meta">
          {t('tokenize.badRow', { row: integer(row), message })}
        </div>
      ))}
    </>
  );
}
