import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { usePanel } from '../context';
import { JobControls } from '../jobs/JobControls';
import { JobProblem } from '../jobs/JobProblem';
import { problemOf, stateOf } from '../jobs/problem';
import { JobProgress } from '../jobs/JobProgress';
import { bytes } from '../lib/format';
import { t } from '../messages';
import type { Problem } from '../types';
import { Button } from './Button';
import { Confirm } from './Confirm';
import { ErrorNote } from './ErrorNote';
import { useAction } from './hooks';
import { Name } from './Name';
import { NameForm } from './NameForm';
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
  question: (record: T) => ComponentChildren;
  onOpen: (record: T) => void;
  /** Whether there is something to open, e.g. not while a dataset is still imported. */
  canOpen?: (record: T) => boolean;
  /** Further things to do with a record, as icons beside its name. */
  actions?: (record: T) => ComponentChildren;
  /** The record whose row gets the focus when the list appears. */
  returned?: string | null;
  /** Choosing several: a checkbox before each name. */
  pick?: { chosen: ReadonlySet<string>; onToggle: (id: string) => void };
  /** Gives a record another name; without it names stay. */
  onRename?: (record: T, name: string) => Promise<void>;
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
  const [renaming, setRenaming] = useState(false);
  const { pick, onRename } = props;
  const name = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    if (props.returned === record.id) {
      name.current?.focus();
    }
  }, []);
  const remove = useAction(async () => {
    const freed = await store.remove(noun, record.id);
    if (freed > 0) {
      props.onFreed(t('freed.bytes', { bytes: bytes(freed) }));
    }
  });
  const job = store.jobs.get(record.job_id);
  const active = job?.state === 'queued' || job?.state === 'running';
  const problem = problemOf(record, job);
  const canOpen = props.canOpen?.(record) ?? true;
  return (
    <li class="jp-mistudio-row" data-testid={`mistudio-row-${record.name}`}>
      <div class="jp-mistudio-row-head">
        {pick && (
          <input
            type="checkbox"
            aria-label={t('many.pick', { name: record.name })}
            checked={pick.chosen.has(record.id)}
            onChange={() => pick.onToggle(record.id)}
          />
        )}
        {canOpen ? (
          <button
            type="button"
            class="jp-mistudio-row-name"
            ref={name}
            aria-label={t('action.openNamed', { name: record.name })}
            onClick={() => props.onOpen(record)}
          >
            <Name text={record.name} />
          </button>
        ) : (
          <span class="jp-mistudio-row-name">
            <Name text={record.name} />
          </span>
        )}
        <Pill state={stateOf(record, job)} />
        {props.actions?.(record)}
        {onRename && (
          <Button
            kind="quiet"
            icon="edit"
            label={t('rename.named', { name: record.name })}
            expanded={renaming}
            onClick={() => setRenaming(!renaming)}
          />
        )}
        <Button
          kind="quiet"
          icon="trash"
          label={t('action.deleteNamed', { name: record.name })}
          onClick={() => setAsking(true)}
        />
      </div>
      <div class="jp-mistudio-row-meta">{props.meta(record)}</div>
      {renaming && onRename && (
        <NameForm
          label={t('rename.label')}
          name={record.name}
          onSave={to => onRename(record, to)}
          onClose={() => setRenaming(false)}
        />
      )}
      {job && active && <JobProgress job={job} label={record.name} />}
      <JobProblem problem={problem} job={job} name={record.name} />
      {(active || !['ready', 'done'].includes(record.state)) && (
        <div class="jp-mistudio-actions">
          <JobControls job={job} />
        </div>
      )}
      {remove.error && <ErrorNote error={remove.error} onDismiss={remove.clear} />}
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
