import { usePanel } from '../context';
import { t } from '../messages';
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
  if (!job) {
    return null;
  }
  const label = (text: string): string | undefined => (name ? `${text} ${name}` : undefined);
  const active = job.state === 'queued' || job.state === 'running';
  const again = ['failed', 'cancelled', 'interrupted'].includes(job.state);
  const error = cancel.error ?? retry.error;
  return (
    <>
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
      {error && <ErrorNote error={error} onDismiss={() => (cancel.clear(), retry.clear())} />}
    </>
  );
}
