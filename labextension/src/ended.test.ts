import { describe, expect, it } from 'vitest';

import { endOf } from './ended';

const job = {
  id: 'job_1',
  kind: 'extract',
  state: 'running',
  started_at: '2026-01-01T00:00:00Z',
  ended_at: null as string | null
};
const ended = { ...job, state: 'done', ended_at: '2026-01-01T00:01:00Z' };

describe('the end of a job', () => {
  it('is told once, if the job was seen running and took long', () => {
    const running = new Set<string>();
    expect(endOf(job, running, 30)).toBeNull();
    expect(endOf(ended, running, 30)).toBe(ended);
    expect(endOf(ended, running, 30)).toBeNull();
  });

  it('is told of failures, not of what a person cancelled', () => {
    const failed = { ...ended, state: 'failed' };
    expect(endOf(failed, new Set(['job_1']), 30)).toBe(failed);
    expect(endOf({ ...ended, state: 'cancelled' }, new Set(['job_1']), 30)).toBeNull();
  });

  it('is not told of short jobs, of earlier ones, or if it is switched off', () => {
    expect(endOf(ended, new Set(['job_1']), 61)).toBeNull();
    expect(endOf(ended, new Set(), 30)).toBeNull();
    expect(endOf(ended, new Set(['job_1']), 0)).toBeNull();
  });
});
