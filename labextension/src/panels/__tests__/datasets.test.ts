import { describe, expect, it } from 'vitest';
import { Api, ApiError } from '../api';
import { shown, SHOW_ALL } from '../datasets/list';
import { readingOf, withReading } from '../datasets/reading';
import { active, filterQuery, NO_FILTERS } from '../datasets/SampleFilters';
import { asPreset, asSettings, DEFAULTS, withPreset } from '../datasets/settings';
import { short } from '../datasets/FileForm';
import type { Upload } from '../datasets/types';
import { upload } from '../datasets/upload';
import type { Dataset } from '../types';

/** A server that keeps what arrives, and refuses or breaks as it is told. */
class UploadServer extends Api {
  bytes = 0;
  size = 0;
  readonly pieces: number[] = [];
  readonly faults: (() => void)[] = [];

  constructor() {
    super({ baseUrl: 'http://localhost/', token: null });
  }

  private state(): Upload {
    const state = this.bytes >= this.size ? 'complete' : 'receiving';
    const facts = { id: 'up_1', name: 'a.txt', size: this.size, offset: this.bytes };
    return { ...facts, state, detection: null, problem: null };
  }

  override async request<T>(
    method: string,
    path: string,
    options: {
      body?: unknown;
      raw?: Blob;
      headers?: Record<string, string | null | undefined>;
    } = {}
  ): Promise<T> {
    if (method === 'POST') {
      this.size = (options.body as { size: number }).size;
    } else if (method === 'PUT') {
      const [, first] = /bytes (\d+)-/.exec(options.headers?.['Content-Range'] ?? '') ?? [];
      this.pieces.push(options.raw?.size ?? 0);
      this.faults.shift()?.();
      expect(Number(first)).toBe(this.bytes);
      this.bytes += options.raw?.size ?? 0;
    } else {
      expect(path).toBe('uploads/up_1');
    }
    return this.state() as T;
  }
}

const file = new File([new Uint8Array(20 << 20)], 'a.txt');
const options = {
  signal: new AbortController().signal,
  onProgress: () => undefined,
  pause: () => Promise.resolve()
};
const MB = 1 << 20;

describe('upload', () => {
  it('sends a file in pieces and tells how far it is', async () => {
    const server = new UploadServer();
    const told: number[] = [];
    const done = await upload(server, file, { ...options, onProgress: at => told.push(at.sent) });
    expect(done.state).toBe('complete');
    expect(server.pieces).toEqual([8 * MB, 8 * MB, 4 * MB]);
    expect(told).toEqual([8 * MB, 16 * MB, 20 * MB]);
  });

  it('halves the pieces where a proxy finds them too large', async () => {
    const server = new UploadServer();
    const tooLarge = (): never => {
      throw new ApiError('Too large', { status: 413 });
    };
    server.faults.push(tooLarge, tooLarge);
    await upload(server, file, options);
    expect(server.pieces.slice(0, 3)).toEqual([8 * MB, 4 * MB, 2 * MB]);
    expect(server.bytes).toBe(file.size);
  });

  it('goes on where the server is after a break', async () => {
    const server = new UploadServer();
    server.faults.push(
      () => undefined,
      () => {
        server.bytes += 3 * MB;
        throw new ApiError('Gone', { code: 'unreachable' });
      }
    );
    await upload(server, file, options);
    expect(server.bytes).toBe(file.size);
  });

  it('gives up when nothing arrives any more, and at once when it is refused', async () => {
    const server = new UploadServer();
    const broken = (): never => {
      throw new ApiError('Gone', { code: 'unreachable' });
    };
    server.faults.push(broken, broken, broken, broken, broken);
    await expect(upload(server, file, options)).rejects.toThrow('Gone');
    expect(server.pieces).toHaveLength(5);
    const full = new UploadServer();
    full.faults.push(() => {
      throw new ApiError('No space', { status: 400, code: 'no_space' });
    });
    await expect(upload(full, file, options)).rejects.toThrow('No space');
    expect(full.pieces).toHaveLength(1);
  });

  it('goes on with an upload that an earlier page began', async () => {
    const server = new UploadServer();
    server.size = file.size;
    server.bytes = 18 * MB;
    await upload(server, file, { ...options, resume: 'up_1' });
    expect(server.pieces).toEqual([2 * MB]);
  });
});

const dataset = (name: string, facts: Partial<Dataset>): Dataset =>
  ({
    name,
    source: 'path',
    created_at: '',
    repo_id: null,
    n_rows: 0,
    n_bytes: 0,
    ...facts
  }) as Dataset;

describe('list of datasets', () => {
  const list = [
    dataset('b', { n_rows: 5, created_at: '2026-01-02', repo_id: 'org/Stories', source: 'hub' }),
    dataset('a', { n_rows: 9, created_at: '2026-01-01' }),
    dataset('c', { n_rows: null, created_at: '2026-01-03' })
  ];
  const names = (filter: object): string[] =>
    shown(list, { ...SHOW_ALL, ...filter }).map(each => each.name);

  it('is ordered, newest first at the start', () => {
    expect(names({})).toEqual(['c', 'b', 'a']);
    expect(names({ order: 'name' })).toEqual(['a', 'b', 'c']);
    expect(names({ order: 'rows' })).toEqual(['a', 'b', 'c']);
  });

  it('is filtered by name, repository and source', () => {
    expect(names({ text: 'stories' })).toEqual(['b']);
    expect(names({ source: 'path' })).toEqual(['c', 'a']);
    expect(names({ text: 'zzz' })).toEqual([]);
  });
});

describe('filters of samples', () => {
  it('ask for tokens only with a tokenization', () => {
    const filters = { ...NO_FILTERS, min: 5, tokens: 'a fox', column: 'kind' };
    expect(filterQuery(filters)).toEqual({ columns: 'kind', where: null });
    expect(active(filters)).toBe(0);
    const counted = { ...filters, tokenization: 'tok_1' };
    expect(filterQuery(counted)).toMatchObject({
      tokenization: 'tok_1',
      min_tokens: 5,
      tokens: 'a fox'
    });
    expect(active(counted)).toBe(2);
    const chosen = { ...NO_FILTERS, where: 'lang', value: 'en:us' };
    expect(filterQuery(chosen)).toMatchObject({ where: 'lang:en:us' });
    expect([active(chosen), active({ ...chosen, value: '' })]).toEqual([1, 0]);
  });
});

describe('settings of a tokenization', () => {
  it('leave out what stands at its default', () => {
    expect(asSettings({ ...DEFAULTS, model: 'm', context: null })).toEqual({
      model: 'm',
      mode: 'truncate',
      special_tokens: true,
      bos: 'auto',
      chat_template: false
    });
    expect(asSettings({ ...DEFAULTS, folder: ' /t ', overlap: 9 })).toMatchObject({
      tokenizer: '/t'
    });
    expect(asSettings({ ...DEFAULTS, overlap: 9 })).not.toHaveProperty('overlap');
    expect(asSettings({ ...DEFAULTS, mode: 'chunk', overlap: 9 }).overlap).toBe(9);
  });

  it('come back from a preset as they were, whatever the model', () => {
    const form = {
      ...DEFAULTS,
      model: 'm',
      mode: 'pack' as const,
      maxJunk: 5,
      skipBad: true,
      context: 64
    };
    const preset = asPreset(form);
    expect(preset).not.toHaveProperty('model');
    expect(withPreset({ ...DEFAULTS, model: 'other' }, preset)).toEqual({
      ...form,
      model: 'other'
    });
  });
});

describe('a cell of a preview', () => {
  it('is short text, whatever is in it', () => {
    expect(short(null)).toBe('');
    expect(short({ a: [1] })).toBe('{"a":[1]}');
    expect(short('x'.repeat(500), 10)).toBe('x'.repeat(10) + '…');
  });
});

describe('what is being read', () => {
  const filters = { ...NO_FILTERS, tokenization: 'tok_1', min: 5 };

  it('is kept in the selection, without what stands at its default', () => {
    const kept = withReading({ dataset: 'ds_1' }, { q: 'fox', filters, at: 40 });
    expect(kept).toEqual({ dataset: 'ds_1', q: 'fox', filters, at: 40 });
    expect(readingOf(kept, ['train'])).toMatchObject({ split: 'train', q: 'fox', filters, at: 40 });
    expect(withReading(kept, { q: '', filters: NO_FILTERS, at: 0 })).toEqual({ dataset: 'ds_1' });
    expect(withReading(kept, { split: 'test', at: 0 })).toMatchObject({ split: 'test', q: 'fox' });
  });

  it('is a row of the split where one is named, whatever was looked for before', () => {
    const asked = { dataset: 'ds_1', split: 'test', q: 'fox', filters, at: 40, row: 7 };
    expect(readingOf(asked, ['train', 'test'])).toEqual({
      split: 'test',
      q: '',
      filters: NO_FILTERS,
      at: 7,
      row: 7
    });
    expect(withReading(asked, { at: 7, row: null })).toEqual({
      dataset: 'ds_1',
      split: 'test',
      at: 7
    });
  });

  it('takes nothing from a selection that is none', () => {
    const wrong = { split: 3, q: null, at: -1, row: 'x', filters: { min: 'y' } };
    expect(readingOf(wrong, ['train'])).toEqual({
      split: 'train',
      q: '',
      filters: NO_FILTERS,
      at: 0,
      row: null
    });
  });
});
