import { usePanel } from '../context';
import { t } from '../messages';
import type { Store } from '../store';
import type { Job } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { useAction } from '../ui/hooks';

interface Props {
  job: Job | undefined;
  /** Whose job it is, where several such buttons are on the screen. */
  name?: string;
}

/** "Cancel" while a job is queued or runs, "Retry" when it did not get to its end. */
export function JobControls({ job, name }: Props) {
  const { store } = usePanel();
  const cancel = useAction((id: string) => store.cancel(id));
  const retry = useAction((id: string) => store.retry(id));
  const first = useAction((id: string) => store.setPriority(id, 1 + highestPriority(store)));
  if (!job) {
    return null;
  }
  const label = (text: string): string | undefined => (name ? `${text} ${name}` : undefined);
  const active = job.state === 'queued' || job.state === 'running';
  const again = ['failed', 'cancelled', 'interrupted'].includes(job.state);
  const error = cancel.error ?? retry.error ?? first.error;
  const behind = job.state === 'queued' && (job.queue_position ?? 1) > 1;
  return (
    <>
      {behind && (
        <Button
          busy={first.busy}
          label={label(t('jobs.first'))}
          onClick={() => void first.run(job.id)}
        >
          {t('jobs.first')}
        </Button>
      )}
      {active && (
        <Button
          busy={cancel.busy || job.cancelling}
          label={label(t('action.cancel'))}
          onClick={() => void cancel.run(job.id)}
        >
          {t(job.cancelling ? 'action.cancelling' : 'action.cancel')}
        </Button>
      )}
      {again && (
        <Button
          busy={retry.busy}
          label={label(t('action.retry'))}
          onClick={() => void retry.run(job.id)}
        >
          {t('action.retry')}
        </Button>
      )}
      {error && (
        <ErrorNote
          error={error}
          onDismiss={() => [cancel, retry, first].forEach(action => action.clear())}
        />
      )}
    </>
  );
}

/** The highest priority in the queue, below the highest that there can be. */
function highestPriority(store: Store): number {
  const waiting = store.activeJobs.value.filter(job => job.state === 'queued');
  return Math.min(99, Math.max(0, ...waiting.map(job => job.priority ?? 0)));
}
