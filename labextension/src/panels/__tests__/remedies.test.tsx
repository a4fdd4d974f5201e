import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/preact';
import { afterEach, expect, test, vi } from 'vitest';
import { ApiError } from '../api';
import { PanelContext } from '../context';
import { JobControls } from '../jobs/JobControls';
import { JobProblem } from '../jobs/JobProblem';
import { answered } from '../jobs/Remedies';
import type { Job, Problem, Remedy } from '../types';

afterEach(cleanup);

const SKIP: Remedy = {
  label: 'Skip broken rows',
  change: { options: { bad_rows: 'skip' } }
};
const TOKEN: Remedy = { label: 'Give a token of the Hub', ask: 'token' };

function failed(remedies?: Remedy[]): Job {
  const error: Problem = { code: 'broken_file', message: 'Line 2 cannot be read.', remedies };
  return { id: 'job_1', kind: 'dataset.import', state: 'failed', error } as Job;
}

function show(job: Job, retry = vi.fn(() => Promise.resolve())): ReturnType<typeof vi.fn> {
  const panel = { store: { retry, activeJobs: { value: [] } } } as never;
  render(
    <PanelContext.Provider value={panel}>
      <JobProblem problem={job.error} job={job} name="rows" />
      <JobControls job={job} name="rows" />
    </PanelContext.Provider>
  );
  return retry;
}

const button = (name: string): HTMLButtonElement => screen.getByRole('button', { name });

test('what mends a failed job is a button, a field, or a word to the person', async () => {
  const retry = show(failed([SKIP, { label: 'Free 2 GB, then retry', change: {} }, TOKEN]));
  expect(screen.getAllByRole('button').map(each => each.textContent)).toEqual([
    'Skip broken rows',
    'Give a token of the Hub',
    'Retry'
  ]);
  screen.getByText('Free 2 GB, then retry.');
  fireEvent.click(button('Skip broken rows rows'));
  await waitFor(() => expect(retry).toHaveBeenCalledWith('job_1', { change: SKIP.change }));
  fireEvent.click(button('Retry rows'));
  await waitFor(() => expect(retry).toHaveBeenLastCalledWith('job_1'));
});

test('a token is asked for, goes beside the request, and its error stands at the field', async () => {
  const refused = new ApiError('The Hub does not know the token.', { hint: 'Make a new one.' });
  const retry = show(
    failed([SKIP, TOKEN]),
    vi.fn(() => Promise.reject(refused))
  );
  const field = screen.getByLabelText('Access token');
  expect(field.getAttribute('type')).toBe('password');
  expect(button('Give a token of the Hub rows').disabled).toBe(true);
  fireEvent.input(field, { target: { value: ' hf_x ' } });
  fireEvent.click(button('Give a token of the Hub rows'));
  expect(retry).toHaveBeenCalledWith('job_1', { token: 'hf_x' });
  await waitFor(() => expect(field.getAttribute('aria-invalid')).toBe('true'));
  screen.getByText('The Hub does not know the token. Make a new one.');
});

test('while one is tried the others wait, and a refused change stays at the buttons', async () => {
  let refuse = (_: unknown): void => undefined;
  const keep: Remedy = { label: 'Keep them', change: { options: { bad_rows: 'keep' } } };
  show(
    failed([SKIP, keep]),
    vi.fn(() => new Promise<void>((_, reject) => (refuse = reject)))
  );
  fireEvent.click(button('Keep them rows'));
  expect(button('Keep them rows').getAttribute('aria-busy')).toBe('true');
  expect(button('Skip broken rows rows').disabled).toBe(true);
  refuse(new ApiError('The changed request is that of another dataset.'));
  const note = await screen.findByText('The changed request is that of another dataset.');
  expect(note.closest('.jp-mistudio-remedies')).not.toBeNull();
  expect(button('Skip broken rows rows').disabled).toBe(false);
});

test('any other value changes the request, with what comes along', () => {
  expect(answered({ label: '', ask: 'text_column' }, 'body')).toEqual({
    change: { text_column: 'body' }
  });
  const code: Remedy = { label: '', ask: 'revision', change: { trust_remote_code: true } };
  expect(answered(code, 'abc')).toEqual({ change: { trust_remote_code: true, revision: 'abc' } });
});

test('an error without remedies has Retry alone', () => {
  show(failed());
  expect(screen.getAllByRole('button')).toHaveLength(1);
});
