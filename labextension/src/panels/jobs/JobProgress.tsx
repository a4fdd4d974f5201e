import { usePanel } from '../context';
import { t, tData } from '../messages';
import type { Job } from '../types';
import { Progress } from '../ui/Progress';

/** A job's progress, or what it waits for; nothing once it has ended. */
export function JobProgress({ job, label }: { job: Job; label: string }) {
  const { store } = usePanel();
  if (job.state === 'running') {
    return <Bar job={job} label={label} message={job.message || tData('phase', job.phase ?? '')} />;
  }
  if (job.state !== 'queued') {
    return null;
  }
  const before = (job.depends_on ?? [])
    .map(id => store.jobs.get(id))
    .filter(other => other !== undefined);
  const running = before.find(other => other.state === 'running');
  if (running) {
    // What it waits for is part of the same work to the person who asked for it.
    const what = tData('jobs.kind', running.kind);
    return <Bar job={running} label={`${label}: ${what}`} message={what} />;
  }
  const queued = before.filter(other => other.state === 'queued');
  const position = job.queue_position
    ? `, ${t('progress.position', { n: job.queue_position })}`
    : '';
  // The server says what it waits for, e.g. a device that another user holds.
  const waiting = job.message || t('progress.waiting');
  return (
    <div class="jp-mistudio-progress-text" role="status">
      {queued.length > 0
        ? t('jobs.waitsFor', { names: queued.map(each => each.target?.name ?? each.id).join(', ') })
        : waiting + position}
    </div>
  );
}

function Bar({ job, label, message }: { job: Job; label: string; message: string }) {
  return (
    <Progress
      label={label}
      done={job.done}
      total={job.total}
      unit={job.unit}
      progress={job.progress}
      rate={job.rate}
      eta={job.eta_s}
      message={message}
    />
  );
}
