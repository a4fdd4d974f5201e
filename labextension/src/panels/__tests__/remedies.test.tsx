import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/preact';
import { afterEach, expect, test, vi } from 'vitest';
import { PanelContext } from '../context';
import { JobControls } from '../jobs/JobControls';
import type { Job, Problem } from '../types';

afterEach(cleanup);

function failed(error: Problem): Job {
  return { id: 'job_1', kind: 'dataset.import', state: 'failed', error } as Job;
}

function show(job: Job): ReturnType<typeof vi.fn> {
  const retry = vi.fn(() => Promise.resolve());
  const panel = { store: { retry, activeJobs: { value: [] } } } as never;
  render(
    <PanelContext.Provider value={panel}>
      <JobControls job={job} name="rows" />
    </PanelContext.Provider>
  );
  return retry;
}

test('what mends a failed job is a button beside Retry', async () => {
  const change = { options: { bad_rows: 'skip' } };
  const retry = show(
    failed({
      code: 'broken_file',
      message: 'Line 2 cannot be read.',
      remedies: [
        { label: 'Skip broken rows', change },
        { label: 'Free 2 GB, then retry', change: {} },
        { label: 'Give a token of the Hub', ask: 'token' }
      ]
    })
  );
  expect(screen.getAllByRole('button').map(button => button.textContent)).toEqual([
    'Skip broken rows',
    'Retry'
  ]);
  fireEvent.click(screen.getByRole('button', { name: 'Skip broken rows rows' }));
  await waitFor(() => expect(retry).toHaveBeenCalledWith('job_1', change));
  fireEvent.click(screen.getByRole('button', { name: 'Retry rows' }));
  await waitFor(() => expect(retry).toHaveBeenLastCalledWith('job_1', undefined));
});

test('an error without remedies has Retry alone', () => {
  show(failed({ code: 'worker_killed', message: 'It was killed.' }));
  expect(screen.getAllByRole('button')).toHaveLength(1);
});
