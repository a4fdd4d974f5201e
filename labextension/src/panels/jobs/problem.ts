import type { Job, Problem } from '../types';

interface Failing {
  state: string;
  error: Problem | null;
}

/** A record's state as far as its job knows better: the job is told first, and knows of cancelling. */
export function stateOf(record: Failing, job?: Job): string {
  if (job?.state === 'queued' && ['queued', 'pending'].includes(record.state)) {
    return 'queued';
  }
  if (record.state === 'failed' && wasCancelled(record, job)) {
    return 'cancelled';
  }
  return job?.state === 'running' && record.state === 'queued' ? 'running' : record.state;
}

/** Why something is not as it should be; what a person cancelled is no error. */
export function problemOf(record: Failing, job?: Job): Problem | null {
  if (!['failed', 'interrupted'].includes(record.state) || wasCancelled(record, job)) {
    return null;
  }
  return record.error ?? job?.error ?? null;
}

/** Datasets, models and tokenizations are failed without their data, whatever the reason. */
function wasCancelled(record: Failing, job?: Job): boolean {
  return job ? job.state === 'cancelled' : record.error?.code === 'cancelled';
}
