import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { JobProgress } from '../jobs/JobProgress';
import { bytes } from '../lib/format';
import { t } from '../messages';
import type { Problem } from '../types';
import { Button } from './Button';
import { Confirm } from './Confirm';
import { ErrorNote } from './ErrorNote';
import { useAction } from './hooks';
import { Pill } from './Pill';

interface Item {
  id: string;
  name: string;
  state: string;
  error: Problem | null;
  job_id: string | null;
}

interface Props<T extends Item> {
  noun: 'datasets' | 'models' | 'extractions';
  records: readonly T[];
  label: string;
  meta: (record: T) => ComponentChildren;
  question: (record: T) => string;
  onOpen: (record: T) => void;
  /** Whether there is something to open, e.g. not while a dataset is still imported. */
  canOpen?: (record: T) => boolean;
  extra?: (record: T) => ComponentChildren;
}

/** Rows of records: name, state, facts, progress, error, and what can be done. */
export function RecordList<T extends Item>(props: Props<T>) {
  const [freed, setFreed] = useState('');
  return (
    <>
      <ul class="jp-mistudio-list" aria-label={props.label}>
        {props.records.map(record => (
          <Row key={record.id} record={record} {...props} onFreed={setFreed} />
        ))}
      </ul>
      <div class="jp-mistudio-hint" role="status">
        {freed}
      </div>
    </>
  );
}

function Row<T extends Item>(props: Props<T> & { record: T; onFreed: (text: string) => void }) {
  const { record, noun } = props;
  const { store } = usePanel();
  const [asking, setAsking] = useState(false);
  const remove = useAction(async () => {
    const answer = await store.api.remove(noun, record.id);
    setAsking(false);
    if (answer.freed_bytes) {
      props.onFreed(t('freed.bytes', { bytes: bytes(answer.freed_bytes) }));
    }
    store[noun].remove(record.id);
  });
  const job = store.jobs.get(record.job_id);
  const retry = useAction(async () => {
    if (job) {
      store.jobs.upsert((await store.api.retry(job.id)).job);
    }
  });
  const cancel = useAction(async () => {
    if (job) {
      store.jobs.upsert((await store.api.cancel(job.id)).job);
    }
  });
  const active = job?.state === 'queued' || job?.state === 'running';
  const problem = record.error ?? (record.state === 'failed' ? (job?.error ?? null) : null);
  const canOpen = props.canOpen?.(record) ?? true;
  const shownState =
    record.state === 'pending' && job?.state === 'queued' ? 'queued' : record.state;
  const error = remove.error ?? retry.error ?? cancel.error;
  return (
    <li class="jp-mistudio-row" data-testid={`mistudio-row-${record.name}`}>
      <div class="jp-mistudio-row-head">
        {canOpen ? (
          <button
            type="button"
            class="jp-mistudio-row-name"
            aria-label={t('action.openNamed', { name: record.name })}
            onClick={() => props.onOpen(record)}
          >
            {record.name}
          </button>
        ) : (
          <span class="jp-mistudio-row-name">{record.name}</span>
        )}
        <Pill state={shownState} />
        <Button
          kind="quiet"
          icon="trash"
          label={t('action.deleteNamed', { name: record.name })}
          onClick={() => setAsking(true)}
        />
      </div>
      <div class="jp-mistudio-row-meta">{props.meta(record)}</div>
      {job && active && <JobProgress job={job} label={record.name} />}
      {active && (
        <div class="jp-mistudio-actions">
          {props.extra?.(record)}
          <Button busy={cancel.busy} onClick={() => void cancel.run()}>
            {t('action.cancel')}
          </Button>
        </div>
      )}
      {problem && (
        <ErrorNote error={problem}>
          {job && (
            <Button busy={retry.busy} onClick={() => void retry.run()}>
              {t('action.retry')}
            </Button>
          )}
        </ErrorNote>
      )}
      {error && (
        <ErrorNote
          error={error}
          onDismiss={() => (remove.clear(), retry.clear(), cancel.clear())}
        />
      )}
      {asking && (
        <Confirm
          question={props.question(record)}
          action={t('action.delete')}
          busy={remove.busy}
          onConfirm={() => void remove.run()}
          onCancel={() => setAsking(false)}
        />
      )}
    </li>
  );
}
