import { signal } from '@preact/signals';
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/preact';
import { afterEach, expect, test, vi } from 'vitest';
import type { Api } from '../api';
import { PanelContext } from '../context';
import { MonitorFeed } from '../monitor/feed';
import { MonitorPanel } from '../monitor/MonitorPanel';
import { linesOf } from '../monitor/Sparkline';
import type { Measured } from '../monitor/types';
import type { Device } from '../types';

afterEach(cleanup);

const at = (second: number): string => new Date(1_700_000_000_000 + second * 1000).toISOString();

function measured(second: number): Measured {
  return {
    at: at(second),
    disk: { path: '/data', total: 100, free: 50 },
    devices: [
      {
        id: 'cuda:0',
        uuid: 'GPU-1',
        name: 'Test GPU',
        kind: 'gpu',
        utilization: 0.5,
        memory_used: 8e9,
        memory_total: 16e9,
        temperature: 61,
        power_w: 120.4,
        power_limit_w: 400,
        processes: [
          {
            pid: 7,
            memory: 5e9,
            user: 'ada',
            program: 'python',
            job: { id: 'job_1', name: 'run1' }
          }
        ]
      }
    ]
  };
}

const STORAGE = {
  path: '/data',
  free: 50e9,
  reserve: 1e9,
  quota: 10e9,
  used: 4e9,
  categories: [
    {
      name: 'extractions',
      bytes: 3.5e9,
      shared: 5e8,
      items: [{ id: 'ext_1', name: 'old run', bytes: 3e9 }]
    },
    {
      name: 'leftovers',
      bytes: 1e9,
      shared: 0,
      items: [{ id: 'tmp/a', name: 'tmp/a', bytes: 1e9 }]
    },
    { name: 'uploads', bytes: 0, shared: 0, items: [] }
  ],
  hub_cache: { path: '/cache', bytes: 9e9, counted: 2e9 }
};

function panel(changes: Partial<Device> = {}): ReturnType<typeof vi.fn> {
  const request = vi.fn(async (_method: string, path: string) => {
    if (path === 'system/history') {
      return { interval_s: 2, samples: [] };
    }
    return path === 'system/storage' ? STORAGE : { freed_bytes: 1 };
  });
  const api = { request } as unknown as Api;
  const monitor = new MonitorFeed(api);
  const table = { list: signal([]) };
  const store = {
    api,
    monitor,
    system: signal(null),
    connection: signal('connected'),
    datasets: table,
    models: table,
    extractions: table
  };
  const now = measured(0);
  monitor.take({ ...now, devices: now.devices.map(device => ({ ...device, ...changes })) });
  render(
    <PanelContext.Provider value={{ store, host: {} } as never}>
      <MonitorPanel />
    </PanelContext.Provider>
  );
  return request;
}

test('a device shows its load, memory, heat and who uses it', async () => {
  panel();
  expect(screen.getByRole('img', { name: 'Load: 50 %' })).toBeTruthy();
  expect(screen.getByRole('img', { name: 'Memory: 8 GB of 16 GB' })).toBeTruthy();
  expect(screen.getByText('61 °C · 120 W of 400 W')).toBeTruthy();
  expect(screen.getByRole('list', { name: 'Who uses Test GPU' }).textContent).toContain('run1');
  await screen.findByText(/6 GB left to use · quota of 10 GB/);
  expect(screen.getByText(/cache: 9 GB, of which 2 GB .* not part of the quota/)).toBeTruthy();
});

test('a slice tells whose heat it is, and what is not told', () => {
  panel({ parent: 'GPU-0', utilization: null, memory_total: null, processes: [] });
  expect(
    screen.getByText('whole card: 61 °C · 120 W of 400 W · load not told · memory not told')
  ).toBeTruthy();
  expect(screen.queryByRole('img')).toBeNull();
});

test('a device that is full is not called free where the driver names nobody', () => {
  panel({ processes: [] });
  expect(screen.getByText('In use; the driver does not tell by whom.')).toBeTruthy();
  cleanup();
  panel({ processes: [], utilization: 0, memory_used: 4e8 });
  expect(screen.getByText('Nobody uses it.')).toBeTruthy();
  cleanup();
  panel({ processes: [], utilization: null, memory_used: null, memory_total: null });
  expect(screen.queryByText(/Nobody|In use/)).toBeNull();
});

test('who holds it and who waits, and for how long', () => {
  const since = new Date(Date.now() - 75_000).toISOString();
  const lease = { user: 'bob', job: { id: 'job_2', name: 'job_2' }, since };
  panel({
    processes: [],
    leases: [
      { ...lease, waiting: false, idle: false },
      { ...lease, user: 'ada', job: null, waiting: true, idle: false }
    ]
  });
  const rows = screen.getAllByRole('listitem').map(row => row.textContent);
  expect(rows[0]).toMatch(/^bob a job.*holds it for 1 min/);
  expect(rows[1]).toContain('waits for 1 min');
});

test('what takes the space can be deleted, after a question', async () => {
  const request = panel();
  fireEvent.click(await screen.findByRole('button', { name: /Activations/ }));
  fireEvent.click(screen.getByRole('button', { name: 'Delete old run' }));
  expect(screen.getByText('500 MB that several of them use together')).toBeTruthy();
  expect(screen.getByText('Delete old run? This frees 3 GB.')).toBeTruthy();
  fireEvent.click(screen.getByRole('button', { name: 'Delete' }));
  await waitFor(() => expect(request).toHaveBeenCalledWith('DELETE', 'extractions/ext_1'));
});

test('leftovers are cleaned', async () => {
  const request = panel();
  fireEvent.click(await screen.findByRole('button', { name: /Left over/ }));
  fireEvent.click(screen.getByRole('button', { name: 'Clean up' }));
  await waitFor(() =>
    expect(request).toHaveBeenCalledWith('POST', 'system/leftovers/clean', { body: {} })
  );
});

test('the history goes on from what was read, without repeating it', async () => {
  const samples = [0, 2].map(second => ({ at: at(second), disk_free: 1, devices: {} }));
  const request = vi.fn(async () => ({ interval_s: 2, samples }));
  const feed = new MonitorFeed({ request } as unknown as Api);
  feed.take(measured(2));
  feed.take(measured(4));
  await feed.load();
  expect(feed.samples.value.map(sample => sample.at)).toEqual([at(0), at(2), at(4)]);
});

test('a time in which nobody looked is a gap', () => {
  const lines = linesOf([
    [at(0), 0.1],
    [at(2), 0.2],
    [at(60), 0.3],
    [at(62), null],
    [at(64), 0.4]
  ]);
  expect(lines.map(line => line.length)).toEqual([2, 2]);
  const last = lines[1]?.[1]?.[0];
  expect(last).toBe(200);
});
