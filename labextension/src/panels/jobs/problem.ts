import type { Job, Problem } from '../types';

interface Failing {
  state: string;
  error: Problem | null;
}

/** A record's state as far as its job knows better: the job is told first. */
export function stateOf(record: { state: string }, job?: Job): string {
  if (job?.state === 'queued' && ['queued', 'pending'].includes(record.state)) {
    return 'queued';
  }
  return job?.state === 'running' && record.state === 'queued' ? 'running' : record.state;
}

/** Why something is not as it should be; what a person cancelled is no error. */
export function problemOf(record: Failing, job?: Job): Problem | null {
  if (!['failed', 'interrupted'].includes(record.state)) {
    return null;
  }
  return record.error ?? job?.error ?? null;
}
