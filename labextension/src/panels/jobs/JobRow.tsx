import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { duration, secondsBetween, when } from '../lib/format';
import { t, tData } from '../messages';
import type { Job } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote, WarningNote } from '../ui/ErrorNote';
import { useAction, useUid } from '../ui/hooks';
import { Name } from '../ui/Name';
import { Pill } from '../ui/Pill';
import { JobControls } from './JobControls';
import { JobProblem } from './JobProblem';
import { JobProgress } from './JobProgress';
import { problemOf } from './problem';
import { LogView } from './LogView';

/** One job: what it does, how far it is, its log, and what can be done about it. */
export function JobRow({ job }: { job: Job }) {
  const { store } = usePanel();
  const id = useUid('job');
  const [open, setOpen] = useState(false);
  const active = job.state === 'queued' || job.state === 'running';
  const name = job.target?.name ?? job.id;
  const kind = tData('jobs.kind', job.kind);
  const problem = problemOf(job);
  const remove = useAction(() => store.remove('jobs', job.id));
  const took = secondsBetween(job.started_at, job.ended_at);
  return (
    <li
      class="jp-mistudio-row"
      data-testid={`mistudio-job-${job.id}`}
      data-kind={job.kind}
      data-state={job.state}
    >
      <div class="jp-mistudio-row-head">
        <span class="jp-mistudio-row-name">
          <span class="jp-mistudio-kind">{kind}</span> <Name text={name} />
        </span>
        <Pill state={job.state} />
      </div>
      {active && <JobProgress job={job} label={`${kind} ${name}`} />}
      {job.warnings?.map((warning, index) => (
        <WarningNote key={index} message={warning.message} />
      ))}
      <JobProblem problem={problem} job={job} name={name} />
      {remove.error && <ErrorNote error={remove.error} onDismiss={remove.clear} />}
      <div class="jp-mistudio-row-foot">
        <div class="jp-mistudio-row-meta">
          {job.state === 'running' && job.device}
          {!active && when(job.ended_at ?? job.created_at)}
          {!active && took !== null && ` · ${t('jobs.took', { time: duration(took) })}`}
        </div>
        <div class="jp-mistudio-actions">
          <JobControls job={job} name={name} />
          {!active && (
            <Button
              kind="quiet"
              icon="trash"
              busy={remove.busy}
              label={t('jobs.remove', { name: `${kind} ${name}` })}
              onClick={() => void remove.run()}
            />
          )}
          <Button
            kind="quiet"
            expanded={open}
            controls={id}
            label={t('jobs.logOf', { name })}
            onClick={() => setOpen(!open)}
          >
            {t('jobs.log')}
          </Button>
        </div>
      </div>
      <div id={id} hidden={!open}>
        {open && <LogView job={job} name={name} />}
      </div>
    </li>
  );
}
