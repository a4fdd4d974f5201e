import { describe, expect, it, vi } from 'vitest';
import { Api, ApiError } from '../api';
import type { EventListener, EventStream } from '../events';
import { Store } from '../store';
import { Table } from '../table';
import type { Job } from '../types';

interface Row {
  id: string;
  created_at: string;
  state: string;
}

const row = (id: string, state = 'ready', created_at = '2026-01-01'): Row => ({
  id,
  created_at,
  state
});

describe('table', () => {
  it('lists the newest first', async () => {
    const table = new Table<Row>();
    await table.load(async () => [row('a', 'x', '2026-01-01'), row('b', 'x', '2026-02-01')]);
    expect(table.list.value.map(each => each.id)).toEqual(['b', 'a']);
    expect(table.loaded.value).toBe(true);
  });

  it('keeps events that came while the list was on its way', async () => {
    const table = new Table<Row>();
    table.upsert(row('old'));
    let deliver: (rows: Row[]) => void = () => undefined;
    const loading = table.load(() => new Promise(resolve => (deliver = resolve)));
    table.upsert(row('a', 'done'));
    table.remove('b');
    deliver([row('a', 'running'), row('b'), row('c')]);
    await loading;
    expect([...table.records.value.keys()].sort()).toEqual(['a', 'c']);
    expect(table.get('a')?.state).toBe('done');
  });

  it('takes an answer unless an event was newer', () => {
    const table = new Table<Row>();
    const asked = table.now;
    table.upsert(row('a', 'running'));
    table.absorb(row('a', 'queued'), asked);
    expect(table.get('a')?.state).toBe('running');
    table.absorb(row('a', 'done'), table.now);
    expect(table.get('a')?.state).toBe('done');
    table.absorb(row('b'), asked);
    expect(table.get('b')).toBeDefined();
    table.absorb(null, table.now);
  });

  it('keeps what it has when a list cannot be read', async () => {
    const table = new Table<Row>();
    await table.load(async () => [row('a')]);
    await table.load(async () => {
      throw new ApiError('gone', { code: 'unreachable' });
    });
    expect(table.error.value?.code).toBe('unreachable');
    expect(table.list.value).toHaveLength(1);
    await table.load(async () => []);
    expect(table.error.value).toBeNull();
    expect(table.list.value).toHaveLength(0);
  });
});

/** A stream that the test speaks for, and an API that gives fixed lists. */
function setUp(): { store: Store; say: EventListener; lists: ReturnType<typeof vi.fn> } {
  const lists = vi.fn(async (path: string) => ({ [path]: [] }));
  const api = new Api({ baseUrl: 'http://localhost/', token: null });
  vi.spyOn(api, 'request').mockImplementation((_method, path) => lists(path) as Promise<never>);
  let listener: EventListener | null = null;
  const events = {
    state: 'connecting',
    subscribe: (each: EventListener) => {
      listener = each;
      return () => (listener = null);
    }
  } as unknown as EventStream;
  const store = new Store(api, events);
  const say: EventListener = {
    event: event => listener?.event(event),
    reset: () => listener?.reset(),
    state: state => listener?.state(state),
    failed: () => listener?.failed?.()
  };
  return { store, say, lists };
}

describe('store', () => {
  it('reads the lists once the socket is open, and again after a reset', async () => {
    const { store, say, lists } = setUp();
    const release = store.use();
    expect(lists).not.toHaveBeenCalled();
    say.state('connected');
    await vi.waitFor(() => expect(store.jobs.loaded.value).toBe(true));
    const calls = lists.mock.calls.length;
    expect(calls).toBe(5);
    say.state('reconnecting');
    say.state('connected');
    expect(lists.mock.calls).toHaveLength(calls);
    say.reset();
    expect(lists.mock.calls).toHaveLength(2 * calls);
    release();
  });

  it('does not wait for a socket that never opens', async () => {
    vi.useFakeTimers();
    const { store, lists, say } = setUp();
    const release = store.use();
    await vi.advanceTimersByTimeAsync(300);
    expect(lists).toHaveBeenCalledTimes(5);
    say.failed?.();
    await vi.advanceTimersByTimeAsync(10);
    expect(lists).toHaveBeenCalledTimes(9);
    lists.mockRejectedValueOnce(new ApiError('down', { code: 'unreachable' }));
    say.failed?.();
    await vi.advanceTimersByTimeAsync(10);
    expect(lists).toHaveBeenCalledTimes(10);
    expect(store.jobs.error.value?.code).toBe('unreachable');
    say.state('connected');
    await vi.advanceTimersByTimeAsync(10);
    expect(lists).toHaveBeenCalledTimes(15);
    expect(store.jobs.error.value).toBeNull();
    release();
    vi.useRealTimers();
  });

  it('takes records and deletions from events', () => {
    const { store } = setUp();
    const job = { id: 'job_1', state: 'running', created_at: '2026-01-01' } as Job;
    store.apply({ type: 'job', seq: 1, topic: 'jobs/job_1', payload: job });
    expect(store.activeJobs.value.map(each => each.id)).toEqual(['job_1']);
    store.apply({ type: 'job', seq: 2, topic: 'jobs/job_1', payload: { ...job, state: 'done' } });
    expect(store.activeJobs.value).toEqual([]);
    expect(store.jobs.get('job_1')?.state).toBe('done');
    store.apply({
      type: 'job',
      seq: 3,
      topic: 'jobs/job_1',
      payload: { id: 'job_1', deleted: true }
    });
    expect(store.jobs.list.value).toEqual([]);
    store.apply({ type: 'something-new', seq: 4, topic: 'x', payload: { id: 'x' } });
    store.apply({ type: 'job', seq: 5, topic: 'x', payload: null });
  });

  it('reads an architecture once, and again after it failed', async () => {
    const { store, lists } = setUp();
    lists.mockRejectedValueOnce(new ApiError('not yet', { code: 'model_not_ready' }));
    const entry = store.architecture('model_1');
    expect(store.architecture('model_1')).toBe(entry);
    await vi.waitFor(() => expect(entry.value.error?.code).toBe('model_not_ready'));
    store.reloadArchitecture('model_1');
    await vi.waitFor(() => expect(entry.value.value).not.toBeNull());
    store.reloadArchitecture('model_1');
    expect(lists).toHaveBeenCalledTimes(2);
  });

  it('reads an architecture again when the files of its model are other ones', async () => {
    const { store, lists } = setUp();
    const told = (seq: number, state: string, fingerprint: string | null): void => {
      const payload = { id: 'model_1', created_at: '2026-01-01', state, fingerprint };
      store.apply({ type: 'model', seq, topic: 'models/model_1', payload });
    };
    told(1, 'ready', 'a');
    const entry = store.architecture('model_1');
    await vi.waitFor(() => expect(entry.value.value).not.toBeNull());
    told(2, 'ready', 'a');
    expect(lists).toHaveBeenCalledTimes(1);
    told(3, 'pending', null);
    told(4, 'ready', 'b');
    await vi.waitFor(() => expect(lists).toHaveBeenCalledTimes(2));
  });
});
