import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import panels from '../index';
import type { AnyModel } from '../afm';
import { offerTranslation } from '../page';
import { VERSION } from '../../version';

/** A widget's model that counts its listeners. */
class FakeModel implements AnyModel {
  readonly sent: unknown[] = [];
  saves = 0;
  private readonly callbacks = new Map<string, Set<(...args: unknown[]) => void>>();

  constructor(private readonly state: Record<string, unknown>) {}

  get(key: string): unknown {
    return this.state[key];
  }

  set(key: string, value: unknown): void {
    this.state[key] = value;
    this.emit(`change:${key}`);
  }

  save_changes(): void {
    this.saves += 1;
  }

  on(event: string, callback: (...args: unknown[]) => void): void {
    this.callbacks.set(event, (this.callbacks.get(event) ?? new Set()).add(callback));
  }

  off(event: string, callback?: (...args: unknown[]) => void): void {
    if (callback) {
      this.callbacks.get(event)?.delete(callback);
    }
  }

  send(content: unknown): void {
    this.sent.push(content);
  }

  emit(event: string, ...args: unknown[]): void {
    this.callbacks.get(event)?.forEach(callback => callback(...args));
  }

  get listeners(): number {
    return [...this.callbacks.values()].reduce((sum, set) => sum + set.size, 0);
  }
}

const dataset = {
  id: 'ds_1',
  name: 'stories',
  source: 'sample',
  state: 'ready',
  error: null,
  repo_id: null,
  config: null,
  revision: null,
  source_path: null,
  splits: [{ name: 'train', n_rows: 2, n_bytes: 20 }],
  columns: [{ name: 'text', dtype: 'string' }],
  text_column: 'text',
  n_rows: 2,
  n_bytes: 20,
  created_at: '2026-01-01T00:00:00Z',
  updated_at: '2026-01-01T00:00:00Z',
  job_id: null
};
const model = {
  ...dataset,
  id: 'model_1',
  name: 'tiny',
  path: null,
  format: 'fp32',
  family: 'llama',
  n_params: 1000,
  n_layers: 2,
  d_model: 8,
  vocab_size: 10,
  context: 64,
  size_bytes: 4000
};
const hooks = [0, 1].flatMap(layer => [
  { name: `blocks.${layer}.hook_mlp_out`, short: 'mlp_out', layer, d: 8, verified: true },
  { name: `blocks.${layer}.hook_resid_post`, short: 'resid_post', layer, d: 8, verified: true }
]);
const architecture = {
  model_type: 'llama',
  class_name: 'Tiny',
  kind: 'decoder',
  n_layers: 2,
  d_model: 8,
  hooks,
  unavailable: [{ short: 'resid_mid', reason: 'attention and MLP run in parallel' }]
};
const extraction = {
  id: 'ext_1',
  name: 'run1',
  state: 'running',
  error: null,
  model_id: 'model_1',
  model: 'tiny',
  dataset_id: 'ds_1',
  dataset: 'stories',
  split: 'train',
  spec: { hooks: ['blocks.1.hook_resid_post'] },
  n_samples: null,
  n_tokens: null,
  ready: 10,
  total: 100,
  unit: 'tokens',
  bytes: null,
  path: '/data/ext_1',
  job_id: 'job_1',
  created_at: '2026-01-02T00:00:00Z',
  updated_at: '2026-01-02T00:00:00Z',
  warnings: []
};
const job = {
  id: 'job_1',
  kind: 'extract',
  state: 'running',
  progress: 0.1,
  done: 10,
  total: 100,
  unit: 'tokens',
  rate: 50,
  eta_s: 75,
  message: '',
  error: null,
  created_at: '2026-01-02T00:00:00Z',
  started_at: '2026-01-02T00:00:00Z',
  ended_at: null,
  target: { type: 'extraction', id: 'ext_1', name: 'run1' }
};

type Answers = Record<string, (init: RequestInit) => [status: number, body: unknown]>;

// A busy machine renders late.
vi.setConfig({ testTimeout: 30_000 });

let server: Answers = {};
let requests: { method: string; path: string; query: string; body: unknown }[] = [];
let page = 0;
let mounted: (() => void)[] = [];

function lists(extra: Answers = {}): Answers {
  return {
    'GET datasets': () => [200, { datasets: [dataset] }],
    'GET models': () => [200, { models: [model] }],
    'GET extractions': () => [200, { extractions: [] }],
    'GET jobs': () => [200, { jobs: [] }],
    'GET system': () => [
      200,
      { version: VERSION, devices: [{ id: 'cpu', name: 'CPU', kind: 'cpu' }] }
    ],
    'GET models/model_1/architecture': () => [200, architecture],
    ...extra
  };
}

beforeEach(() => {
  requests = [];
  // No websocket here: the panels must work without one.
  vi.stubGlobal(
    'WebSocket',
    class {
      constructor() {
        throw new Error('blocked');
      }
    }
  );
  vi.stubGlobal('fetch', async (address: string, init: RequestInit) => {
    const path = new URL(address).pathname.replace(/^.*\/mistudio\/api\/v1\//, '');
    const method = init.method ?? 'GET';
    const body = typeof init.body === 'string' ? (JSON.parse(init.body) as unknown) : null;
    requests.push({ method, path, query: new URL(address).search, body });
    const [status, answer] = server[`${method} ${path}`]?.(init) ?? [
      404,
      { code: 'no', message: path }
    ];
    return new Response(JSON.stringify(answer), { status });
  });
});

afterEach(() => {
  mounted.forEach(dispose => dispose());
  mounted = [];
  vi.unstubAllGlobals();
  document.body.replaceChildren();
});

interface Mounted {
  el: HTMLElement;
  model: FakeModel;
  dispose: () => void;
  find: (selector: string) => HTMLElement;
  button: (name: string) => HTMLButtonElement;
}

function mount(panel: string, state: Record<string, unknown> = {}): Mounted {
  // A base URL of its own: stores are shared by base URL.
  const base_url = `http://localhost/page${++page}/`;
  const fake = new FakeModel({ panel, base_url, server_token: null, selection: {}, ...state });
  const el = document.createElement('div');
  document.body.append(el);
  const controller = new AbortController();
  panels.render({ model: fake, el, signal: controller.signal });
  const find = (selector: string): HTMLElement => {
    const found = el.querySelector<HTMLElement>(selector);
    if (!found) {
      throw new Error(`There is no ${selector} in ${el.innerHTML}`);
    }
    return found;
  };
  const button = (name: string): HTMLButtonElement => {
    const found = [...el.querySelectorAll('button')].find(
      each => each.getAttribute('aria-label') === name || each.textContent?.trim() === name
    );
    if (!found) {
      throw new Error(`There is no button "${name}" in ${el.innerHTML}`);
    }
    return found;
  };
  const dispose = (): void => controller.abort();
  mounted.push(dispose);
  return { el, model: fake, dispose, find, button };
}

const wait = <T,>(check: () => T): Promise<T> => vi.waitFor(check, { timeout: 8000 });

describe('a panel', () => {
  it.each(['studio', 'datasets', 'models', 'architecture', 'extraction', 'jobs', 'activations'])(
    '%s comes up, and leaves nothing behind',
    async panel => {
      server = lists();
      const { el, model: fake, dispose } = mount(panel);
      await wait(() => expect(requests.length).toBeGreaterThan(0));
      await wait(() => expect(el.querySelector('.jp-mistudio-loading[role=status]')).toBeNull());
      expect(el.querySelector('.jp-mistudio')).not.toBeNull();
      dispose();
      expect(el.children).toHaveLength(0);
      expect(fake.listeners).toBe(0);
    }
  );

  it('injects its style once', () => {
    server = lists();
    mount('jobs').dispose();
    mount('jobs').dispose();
    expect(document.querySelectorAll('style[data-jp-mistudio-style]')).toHaveLength(1);
  });

  it('speaks the language of the page that it is in', () => {
    server = lists();
    offerTranslation(text => (text === 'Jobs' ? 'Aufträge' : text));
    try {
      expect(mount('jobs').find('h2').textContent).toBe('Aufträge');
    } finally {
      offerTranslation(text => text);
    }
    expect(mount('jobs').find('h2').textContent).toBe('Jobs');
  });

  it('says which of server, page and kernel has another version', async () => {
    server = lists();
    const same = mount('jobs', { page_version: VERSION, kernel_version: VERSION });
    await wait(() => expect(requests.some(each => each.path === 'system')).toBe(true));
    const kernel = mount('jobs', { kernel_version: '0.0.9' });
    await wait(() => expect(kernel.el.textContent).toContain('this kernel 0.0.9'));
    expect(kernel.el.textContent).not.toContain('this page');
    const page = mount('jobs', { page_version: '0.0.8' });
    await wait(() => expect(page.el.textContent).toContain('this page 0.0.8'));
    expect(same.el.textContent).not.toContain('The server runs');
  });

  it('hides the picture that stands in for it, as long as it lives', () => {
    server = lists();
    document.body.innerHTML =
      '<div class="jp-OutputArea-child"><p class="jp-mistudio-picture-ab12"></p></div>';
    const output = document.body.firstElementChild as HTMLElement;
    const { dispose } = mount('jobs', { picture: 'ab12' });
    expect(output.style.display).toBe('none');
    dispose();
    expect(output.style.display).toBe('');
  });

  it('says what is wrong and tries again', async () => {
    server = { 'GET jobs': () => [500, { message: 'The catalog is locked.', hint: 'Wait.' }] };
    const { el, button } = mount('jobs');
    await wait(() => expect(el.textContent).toContain('The catalog is locked.'));
    expect(el.querySelector('[role=alert]')?.textContent).toContain('Wait.');
    server = lists({ 'GET jobs': () => [200, { jobs: [job] }] });
    button('Try again').click();
    await wait(() => expect(el.querySelector('[data-kind=extract]')).not.toBeNull());
    expect(el.querySelector('[role=alert]')).toBeNull();
    expect(el.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow')).toBe('10');
    expect(el.textContent).toContain('1 min 15 s left');
  });
});

const sampleValues = {
  hook: 'blocks.1.hook_resid_post',
  dimension: null,
  width: 8,
  positions: 'all',
  sample: 0,
  n_samples: 1,
  row: 0,
  start: 0,
  ids: [1, 2],
  texts: ['a', 'b'],
  values: [2.5, null],
  stands_out: null
};

describe('activations', () => {
  it('show the first top samples while the array is read, and stop reading', async () => {
    server = lists({
      'GET extractions': () => [200, { extractions: [{ ...extraction, state: 'done' }] }],
      'GET extractions/ext_1/manifest': () => [200, { files: {} }],
      'GET extractions/ext_1/tokens': () => [200, sampleValues]
    });
    const others = fetch;
    let asked: AbortSignal | null = null;
    vi.stubGlobal('fetch', (address: string, init: RequestInit) => {
      if (!new URL(address).pathname.endsWith('/top')) {
        return others(address, init);
      }
      asked = init.signal ?? null;
      const found = { sample: 4, position: 1, value: 7.5, first: 0, texts: ['a', 'b'] };
      const first = JSON.stringify({ read: 10, total: 90, top: [found] }) + '\n';
      // The first line has come; the server goes on reading until nobody listens.
      const body = new ReadableStream({
        start: controller => {
          controller.enqueue(new TextEncoder().encode(first));
          init.signal?.addEventListener('abort', () => controller.error(init.signal?.reason));
        }
      });
      return Promise.resolve(new Response(body));
    });
    const { el, button } = mount('activations', { extraction_id: 'ext_1' });
    (await wait(() => button('Top samples'))).click();
    await wait(() => expect(el.textContent).toContain('7.5'));
    expect(asked!.aborted).toBe(false);
    button('Stop').click();
    await wait(() => expect(button('Search again')).not.toBeNull());
    expect(asked!.aborted).toBe(true);
    expect(el.textContent).toContain('7.5');
    expect(el.querySelector('[role=alert]')).toBeNull();
  });

  it('mark what is not finite, not by colour alone', async () => {
    const numbers = { mean: 0, std: 1, mean_norm: 4, max_abs: 9, sparsity: 0, non_finite: 0 };
    const names = [0, 1].map(layer => `blocks.${layer}.hook_resid_post`);
    const files = Object.fromEntries(
      names.map((hook, layer) => [
        `${hook}.npy`,
        {
          hook,
          shape: [2, 8],
          dtype: 'float16',
          bytes: 32,
          statistics: { ...numbers, non_finite: 3 * layer }
        }
      ])
    );
    server = lists({
      'GET extractions': () => [
        200,
        { extractions: [{ ...extraction, state: 'done', spec: { hooks: names } }] }
      ],
      'GET extractions/ext_1/manifest': () => [200, { files }],
      'GET extractions/ext_1/tokens': () => [200, { ...sampleValues, hook: names[1] }]
    });
    const { el, find } = mount('activations', { extraction_id: 'ext_1' });
    const [cell] = await wait(() => {
      const cells = [...el.querySelectorAll('.jp-mistudio-mod-alarming')];
      expect(cells).toHaveLength(1);
      return cells;
    });
    expect(cell?.textContent?.trim()).toBe('3');
    expect(cell?.querySelector('svg')).not.toBeNull();
    expect(find('.jp-mistudio-cross').getAttribute('d')?.match(/M/g)).toHaveLength(1);
    const token = await wait(() => find('[role=option].jp-mistudio-mod-infinite'));
    expect(token.getAttribute('aria-label')).toContain('not finite');
  });
});

describe('jobs', () => {
  it('are cancelled, and say so until they have ended', async () => {
    server = lists({
      'GET jobs': () => [200, { jobs: [job] }],
      'POST jobs/job_1/cancel': () => {
        server['GET jobs'] = () => [200, { jobs: [{ ...job, cancelling: true }] }];
        return [200, { job: { ...job, cancelling: true } }];
      }
    });
    const { button } = mount('jobs');
    (await wait(() => button('Cancel run1'))).click();
    await wait(() => expect(button('Cancel run1').textContent).toBe('Cancelling…'));
    expect(button('Cancel run1').getAttribute('aria-disabled')).toBe('true');
    expect(requests.filter(each => each.path.endsWith('/cancel'))).toHaveLength(1);
  });

  it('show bytes as bytes, why they failed, and their log', async () => {
    const download = { ...job, id: 'job_2', kind: 'model.import', unit: 'bytes' };
    const failed = {
      ...job,
      id: 'job_3',
      kind: 'tokenize',
      state: 'failed',
      ended_at: '2026-01-02T00:01:30Z',
      error: { code: 'no_such_column', message: 'There is no column x.', hint: 'Choose text.' }
    };
    server = lists({
      'GET jobs': () => [
        200,
        { jobs: [{ ...download, done: 5e6, total: 1e7, rate: 2.5e6, message: 'a.bin' }, failed] }
      ],
      'GET jobs/job_3/log': () => [200, { text: 'line 1\nline 2', truncated: true }]
    });
    const { el } = mount('jobs');
    await wait(() => expect(el.textContent).toContain('5 MB of 10 MB'));
    expect(el.textContent).toContain('2.5 MB/s');
    expect(el.textContent).toContain('took 1 min 30 s');
    expect(el.querySelector('[role=alert]')?.textContent).toContain('Choose text.');
    const row = el.querySelector('[data-testid=mistudio-job-job_3]');
    row?.querySelector<HTMLButtonElement>('[aria-expanded]')?.click();
    await wait(() => expect(row?.querySelector('[role=log]')?.textContent).toBe('line 1\nline 2'));
    expect(row?.textContent).toContain('Only the end of the log is shown.');
  });
});

describe('datasets', () => {
  it('offer the sample where there is nothing', async () => {
    server = lists({
      'GET datasets': () => [200, { datasets: [] }],
      'POST datasets': () => [202, { dataset: { ...dataset, state: 'pending' }, job: null }]
    });
    const { button, el } = mount('datasets');
    (await wait(() => button('Add sample dataset'))).click();
    await wait(() => expect(el.querySelector('[data-state=pending]')).not.toBeNull());
    expect(requests.find(each => each.method === 'POST')?.body).toEqual({ source: 'sample' });
  });

  it('show texts as text, never as markup', async () => {
    server = lists({
      'GET datasets/ds_1/samples': () => [
        200,
        {
          total: 2,
          samples: [
            { index: 0, split: 'train', text: '<img src=x onerror="alert(1)">', n_tokens: null },
            { index: 1, split: 'train', text: 'x'.repeat(2000), n_tokens: 500 }
          ]
        }
      ]
    });
    const { button, el, find, model: fake } = mount('datasets');
    (await wait(() => button('Open stories'))).click();
    await wait(() => expect(el.querySelectorAll('[data-testid^=mistudio-sample]')).toHaveLength(2));
    expect(el.querySelector('img')).toBeNull();
    expect(find('[data-testid=mistudio-sample-0]').textContent).toContain('<img');
    expect(find('[data-testid=mistudio-sample-1]').textContent?.length).toBeLessThan(600);
    button('Show all').click();
    await wait(() =>
      expect(find('[data-testid=mistudio-sample-1]').textContent?.length).toBeGreaterThan(2000)
    );
    expect(fake.get('selection')).toEqual({ dataset: 'ds_1' });
    // The focus goes with what was opened, and back.
    expect(document.activeElement).toBe(button('Back'));
    button('Back').click();
    await wait(() => expect(document.activeElement).toBe(button('Open stories')));
  });

  it('mark what a search finds', async () => {
    const text = `${'x'.repeat(1500)} 😀 harbour ${'y'.repeat(500)}`;
    server = lists({
      'GET datasets/ds_1/samples': () => [
        200,
        {
          total: 1,
          samples: [{ index: 7, split: 'train', text, n_tokens: null, highlights: [[1503, 1510]] }]
        }
      ]
    });
    const { el, find } = mount('datasets', { selection: { dataset: 'stories' } });
    await wait(() => expect(find('mark').textContent).toBe('harbour'));
    const search = find('input[type=search]') as HTMLInputElement;
    search.value = 'harbour';
    search.dispatchEvent(new Event('input', { bubbles: true }));
    await wait(() => expect(el.textContent).toContain('1–1 of 1 found'));
    expect(requests.some(each => each.query.includes('q=harbour'))).toBe(true);
  });

  it('say how a query was read where that is not what was typed', async () => {
    const read: Record<string, string> = { 'foo_bar()': '"foo bar"', Harbour: 'harbour' };
    server = lists({
      'GET datasets/ds_1/samples': () => [
        200,
        {
          total: 1,
          samples: [{ index: 7, split: 'train', text: 'def foo_bar(x)', n_tokens: null }],
          searched: {
            read_as: read[new URLSearchParams(requests.at(-1)?.query).get('q') ?? ''] ?? null,
            complete: true,
            indexed: 1,
            n_rows: 1
          }
        }
      ]
    });
    const { el, find } = mount('datasets', { selection: { dataset: 'stories' } });
    const search = (await wait(() => find('input[type=search]'))) as HTMLInputElement;
    const type = (text: string): void => {
      search.value = text;
      search.dispatchEvent(new Event('input', { bubbles: true }));
    };
    const line = () => el.querySelector('[data-testid=mistudio-read-as]');
    expect(line()).toBeNull();
    type('foo_bar()');
    await wait(() => expect(line()?.textContent).toBe('Searched for: "foo bar"'));
    type('Harbour');
    await wait(() => expect(line()).toBeNull());
  });

  it('ask before they delete', async () => {
    server = lists({
      'DELETE datasets/ds_1': () => {
        server = lists({ 'GET datasets': () => [200, { datasets: [] }] });
        return [200, { deleted: ['ds_1'], freed_bytes: 20 }];
      }
    });
    const { button, el } = mount('datasets');
    (await wait(() => button('Delete stories'))).click();
    await wait(() => expect(el.querySelector('[role=alertdialog]')).not.toBeNull());
    expect(document.activeElement?.textContent).toBe('Keep it');
    button('Keep it').click();
    await wait(() => expect(el.querySelector('[role=alertdialog]')).toBeNull());
    button('Delete stories').click();
    (await wait(() => button('Delete'))).click();
    await wait(() => expect(el.textContent).toContain('20 B freed'));
    await wait(() => expect(el.querySelector('[data-testid=mistudio-row-stories]')).toBeNull());
  });
});

describe('extraction', () => {
  const estimate = {
    n_samples: 2,
    n_tokens: 1000,
    exact: true,
    bytes: 16_000,
    seconds: 3,
    device_memory_bytes: null,
    disk_free_bytes: 1e9,
    tokens_per_second: 333,
    warnings: []
  };

  it('goes from a choice to a handle in the kernel', async () => {
    server = lists({
      'POST extractions/estimate': () => [200, estimate],
      'POST extractions': () => {
        server['GET extractions'] = () => [200, { extractions: [extraction] }];
        server['GET jobs'] = () => [200, { jobs: [job] }];
        return [202, { extraction, job }];
      }
    });
    const { button, el, find, model: fake } = mount('extraction');
    await wait(() => find('[aria-label="blocks.1.hook_mlp_out"]'));
    expect(fake.get('selection')).toMatchObject({
      dataset: 'ds_1',
      model: 'model_1',
      layers: [0],
      hooks: ['resid_post']
    });
    find('[aria-label="blocks.1.hook_mlp_out"]').click();
    await wait(() => expect(el.textContent).toContain('2 chosen'));
    expect(fake.get('selection')).toMatchObject({
      layers: null,
      hooks: ['blocks.0.hook_resid_post', 'blocks.1.hook_mlp_out']
    });
    await wait(() =>
      expect(find('[data-testid=mistudio-estimate]').textContent).toContain('16 kB')
    );
    button('Extract').click();
    await wait(() => find('[data-extraction=ext_1]'));
    expect(
      requests.find(each => each.path === 'extractions' && each.method === 'POST')?.body
    ).toMatchObject({
      model: 'model_1',
      dataset: 'ds_1',
      split: 'train',
      hooks: expect.any(Array) as unknown
    });
    button('Send to kernel').click();
    expect(fake.sent).toEqual([
      { type: 'open-in-kernel', extraction: 'ext_1', name: 'run1', variable: 'acts' }
    ]);
    fake.emit('msg:custom', { type: 'opened-in-kernel', extraction: 'ext_1', variable: 'acts' });
    await wait(() => expect(el.textContent).toContain('The kernel has it as acts.'));
    fake.emit('msg:custom', {
      type: 'opened-in-kernel',
      extraction: 'ext_1',
      variable: 'acts',
      error: { message: 'No kernel runs.', hint: 'Open a notebook.' }
    });
    await wait(() => expect(el.querySelector('[role=alert]')?.textContent).toContain('No kernel'));
  });

  it('starts and opens in one press', async () => {
    server = lists({
      'GET extractions': () => [200, { extractions: [] }],
      'POST extractions/estimate': () => [200, estimate],
      'POST extractions': () => [202, { extraction, job }]
    });
    const { button, find, model: fake } = mount('extraction');
    await wait(() => find('[aria-label="blocks.1.hook_mlp_out"]'));
    (await wait(() => button('Extract and open in notebook'))).click();
    await wait(() => find('[data-extraction=ext_1]'));
    await wait(() =>
      expect(fake.sent).toEqual([
        { type: 'open-in-kernel', extraction: 'ext_1', name: 'run1', variable: 'acts' }
      ])
    );
  });

  it('opens once, and still says so when the run has ended', async () => {
    let state = 'running';
    const run = (): object => ({ ...extraction, state, job_id: 'job_1' });
    let started = false;
    server = lists({
      'GET extractions': () => [200, { extractions: started ? [run()] : [] }],
      'GET jobs': () => [200, { jobs: started ? [{ ...job, state }] : [] }],
      'POST extractions/estimate': () => [200, estimate],
      'POST extractions': () => {
        started = true;
        return [202, { extraction: run(), job: { ...job, state } }];
      }
    });
    const { button, find, model: fake } = mount('extraction');
    await wait(() => find('[aria-label="blocks.1.hook_mlp_out"]'));
    (await wait(() => button('Extract and open in notebook'))).click();
    await wait(() => expect(fake.sent).toHaveLength(1));
    fake.emit('msg:custom', { type: 'opened-in-kernel', extraction: 'ext_1', variable: 'acts' });
    const card = (): HTMLElement => find('[data-extraction=ext_1]');
    await wait(() => expect(card().textContent).toContain('The kernel has it as acts'));
    state = 'done';
    await wait(() => expect(card().dataset['state']).toBe('done'));
    await new Promise(resolve => setTimeout(resolve, 50)); // Effects come after the picture.
    expect(fake.sent).toHaveLength(1);
    expect(card().textContent).toContain('The kernel has it as acts');
  });

  it('follows what Python sets, and does not echo it', async () => {
    server = lists({ 'POST extractions/estimate': () => [200, estimate] });
    const { find, model: fake } = mount('extraction');
    await wait(() => find('[aria-label="blocks.1.hook_mlp_out"]'));
    const saves = fake.saves;
    fake.set('selection', { dataset: 'stories', model: 'tiny', layers: '0-1', hooks: ['mlp'] });
    await wait(() =>
      expect((find('[aria-label="blocks.1.hook_mlp_out"]') as HTMLInputElement).checked).toBe(true)
    );
    expect((find('[aria-label="blocks.0.hook_resid_post"]') as HTMLInputElement).checked).toBe(
      false
    );
    expect(fake.saves).toBe(saves);
  });

  it('shows an error at its field', async () => {
    server = lists({
      'POST extractions/estimate': () => [
        422,
        {
          message: 'context is too long.',
          code: 'context_too_long',
          field: 'context',
          hint: 'Max 64.'
        }
      ]
    });
    const { el } = mount('extraction');
    const input = await wait(() => {
      const found = el.querySelector('input[aria-invalid]');
      expect(found).not.toBeNull();
      return found as HTMLInputElement;
    });
    const described = (input.getAttribute('aria-describedby') ?? '').split(' ');
    const texts = described.map(id => el.querySelector(`#${id}`)?.textContent ?? '');
    expect(texts.join(' ')).toContain('context is too long. Max 64.');
  });

  it('says what is missing and offers to get it', async () => {
    server = lists({ 'GET models': () => [200, { models: [] }] });
    const { el, button } = mount('extraction');
    await wait(() => expect(el.textContent).toContain('Choose a model.'));
    expect(button('Extract').disabled).toBe(true);
    expect(button('Add sample model')).toBeTruthy();
  });

  it('makes a first run of one button', async () => {
    let found: unknown[] = [];
    server = lists({
      'GET datasets': () => [200, { datasets: [] }],
      'GET models': () => [200, { models: [] }],
      'GET extractions': () => [200, { extractions: found }],
      'POST extractions': () => {
        found = [{ ...extraction, state: 'done' }];
        return [202, { extraction: found[0], job: null }];
      }
    });
    const { button, find, model: fake } = mount('studio');
    (await wait(() => button('Try the sample'))).click();
    (await wait(() => button('Look inside'))).click();
    expect(
      requests.find(each => each.path === 'extractions' && each.method === 'POST')?.body
    ).toMatchObject({ model: 'sample-model', dataset: 'sample-stories', hooks: ['resid_post'] });
    await wait(() => find('[data-testid=mistudio-extraction]'));
    expect(fake.get('selection')).toMatchObject({
      tab: 'activations',
      activations: { extraction: 'ext_1' }
    });
  });
});

describe('studio', () => {
  it('moves between its panels by keyboard and remembers where it was', async () => {
    server = lists({ 'GET jobs': () => [200, { jobs: [job] }] });
    const { find, el, model: fake } = mount('studio', { selection: { tab: 'models' } });
    const tab = (id: string): HTMLElement => find(`[data-testid=mistudio-tab-${id}]`);
    expect(tab('models').getAttribute('aria-selected')).toBe('true');
    await wait(() => expect(tab('jobs').textContent).toContain('1 running or waiting'));
    tab('models').dispatchEvent(new KeyboardEvent('keydown', { key: 'End', bubbles: true }));
    await wait(() => expect(tab('monitor').getAttribute('aria-selected')).toBe('true'));
    expect(fake.get('selection')).toEqual({ tab: 'monitor' });
    expect(el.querySelector('[data-testid=mistudio-monitor]')).not.toBeNull();
    expect(tab('models').tabIndex).toBe(-1);
  });
});

describe('architecture', () => {
  it('shows one model, what it offers, and why something is missing', async () => {
    server = lists();
    const { el, find, model: fake } = mount('architecture', { model_id: 'model_1' });
    await wait(() => find('[data-testid=mistudio-point-resid_post]'));
    expect(el.textContent).toContain('attention and MLP run in parallel');
    expect(el.querySelector('[data-testid=mistudio-point-resid_mid]')).toBeNull();
    find('[data-testid=mistudio-point-resid_post]').click();
    await wait(() =>
      expect(find('[data-testid=mistudio-point-resid_post]').getAttribute('aria-pressed')).toBe(
        'true'
      )
    );
    expect(fake.get('selection')).toEqual({
      model: 'model_1',
      layers: [0, 1],
      hooks: ['resid_post']
    });
  });

  it('is one stop for Tab in the grid', async () => {
    server = lists();
    const { el, find } = mount('architecture', { model_id: 'model_1' });
    await wait(() => find('[aria-label="blocks.1.hook_mlp_out"]'));
    const stops = (): Element[] => [...el.querySelectorAll('table [tabindex="0"]')];
    expect(stops()).toHaveLength(1);
    find('[aria-label="blocks.0.hook_mlp_out"]').focus();
    document.activeElement?.dispatchEvent(
      new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true })
    );
    expect(document.activeElement?.getAttribute('aria-label')).toBe('blocks.1.hook_mlp_out');
    await wait(() => expect(stops()).toHaveLength(1));
  });
});
