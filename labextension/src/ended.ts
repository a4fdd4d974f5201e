/** A job of the server's, as far as a notification needs it. */
export interface IEndedJob {
  id: string;
  kind: string;
  state: string;
  started_at: string | null;
  ended_at: string | null;
  error?: { message: string } | null;
  target?: { type: string; id: string; name: string } | null;
}

const LOUD = new Set(['done', 'failed', 'interrupted']);

/**
 * The job of an event if it is worth a notification: it ran while this page was open, has ended
 * by itself, and took at least `after` seconds (0: never). Keeps note of what runs in `running`.
 */
export function endOf(payload: unknown, running: Set<string>, after: number): IEndedJob | null {
  const job = payload as IEndedJob;
  if (job.state === 'running') {
    running.add(job.id);
    return null;
  }
  const ran = running.delete(job.id);
  const took = (Date.parse(job.ended_at ?? '') - Date.parse(job.started_at ?? '')) / 1000;
  return ran && LOUD.has(job.state) && after > 0 && took >= after ? job : null;
}
