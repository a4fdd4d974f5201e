/** Requests to the server extension's REST interface. */

import { t } from './messages';
import type {
  Architecture,
  Dataset,
  DatasetRequest,
  DeletedMany,
  Estimate,
  Extraction,
  ExtractionRequest,
  HubKind,
  HubResult,
  Job,
  LogPart,
  Manifest,
  Mended,
  Model,
  ModelDependents,
  ModelRequest,
  Projection,
  Ranking,
  RowsQuery,
  SamplePage,
  SampleValues,
  System,
  TokenizerFacts,
  TokensQuery
} from './types';

/** Where a Jupyter server is and how to get in. */
export interface Connection {
  /** Base URL of the server, ending in a slash. */
  baseUrl: string;
  /** API token, or null where the page's own cookie is enough. */
  token: string | null;
}

/** An answer that is not the one asked for, in words for a person. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string | null;
  readonly field: string | null;

  constructor(
    message: string,
    options: { status?: number; code?: string; hint?: string | null; field?: string | null } = {}
  ) {
    super(message);
    this.name = 'ApiError';
    this.status = options.status ?? 0;
    this.code = options.code ?? 'error';
    this.hint = options.hint ?? null;
    this.field = options.field ?? null;
  }
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}

/** Turns whatever was thrown into an ApiError. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) {
    return error;
  }
  return new ApiError(error instanceof Error ? error.message : String(error), { code: 'internal' });
}

/** The page's connection, with what the host gave taking precedence. */
export function findConnection(
  baseUrl: string | null | undefined,
  token: string | null | undefined
): Connection {
  const page = pageConfig();
  const base = baseUrl || page.baseUrl || '/';
  const absolute = new URL(base.endsWith('/') ? base : base + '/', window.location.href).href;
  return { baseUrl: absolute, token: token || page.token || null };
}

function pageConfig(): { baseUrl?: string; token?: string } {
  const element = document.getElementById('jupyter-config-data');
  try {
    return JSON.parse(element?.textContent ?? '{}') as { baseUrl?: string; token?: string };
  } catch {
    // A page that is no Jupyter page may have anything under this id.
    return {};
  }
}

/** The XSRF cookie of the most specific path (browsers list it first). */
export function xsrfToken(cookie: string): string | null {
  const match = /(?:^|;\s*)_xsrf=([^;]*)/.exec(cookie);
  return match ? decodeURIComponent(match[1] ?? '') : null;
}

/** Random key; `crypto.randomUUID` does not exist on plain-HTTP pages. */
export function idempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
}

type Query = Record<string, string | number | null | undefined>;

interface RequestOptions {
  body?: unknown;
  /** Bytes that are sent as they are. */
  raw?: Blob;
  query?: Query;
  signal?: AbortSignal;
  /** Further headers; those whose value is empty are not sent. */
  headers?: Record<string, string | null | undefined>;
  /** Work is started: send a key, so that a repeated request does not start it twice. */
  starts?: boolean;
}

export class Api {
  constructor(readonly connection: Connection) {}

  url(path: string, query: Query = {}): string {
    const url = new URL('mistudio/api/v1/' + path, this.connection.baseUrl);
    for (const [key, value] of Object.entries(query)) {
      if (value !== null && value !== undefined && value !== '') {
        url.searchParams.set(key, String(value));
      }
    }
    return url.href;
  }

  async request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const response = await this.fetch(method, path, options);
    const text = await response.text();
    const data = parse(text);
    if (!response.ok) {
      throw responseError(response, data);
    }
    if (data === undefined) {
      // A login page or a proxy's page, with status 200.
      throw new ApiError(t('error.notJson'), {
        status: response.status,
        code: 'not_json',
        hint: t('error.notJson.hint')
      });
    }
    return data as T;
  }

  /** Calls `each` for every line of JSON as it arrives; ends with the last one. */
  async lines<T>(path: string, options: RequestOptions, each: (line: T) => void): Promise<void> {
    const response = await this.fetch('GET', path, options);
    if (!response.ok) {
      throw responseError(response, parse(await response.text()));
    }
    const decoder = new TextDecoder();
    const reader = response.body?.getReader();
    let rest = '';
    for (let done = !reader; !done;) {
      const piece = await reader!.read();
      done = piece.done;
      const lines = (rest + decoder.decode(piece.value, { stream: !done })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines.filter(Boolean)) {
        each(JSON.parse(line) as T);
      }
    }
  }

  private async fetch(method: string, path: string, options: RequestOptions): Promise<Response> {
    const headers: Record<string, string> = { Accept: 'application/json' };
    const xsrf = xsrfToken(document.cookie);
    if (xsrf !== null) {
      headers['X-XSRFToken'] = xsrf;
    }
    if (this.connection.token) {
      headers['Authorization'] = `token ${this.connection.token}`;
    }
    if (options.body !== undefined) {
      headers['Content-Type'] = 'application/json';
    }
    for (const [name, value] of Object.entries(options.headers ?? {})) {
      if (value) {
        headers[name] = value;
      }
    }
    if (options.starts) {
      headers['Idempotency-Key'] = idempotencyKey();
    }
    try {
      return await fetch(this.url(path, options.query), {
        method,
        headers,
        credentials: 'same-origin',
        cache: 'no-store',
        body:
          options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body)),
        signal: options.signal
      });
    } catch (error) {
      if (isAbort(error)) {
        throw error;
      }
      throw new ApiError(t('error.unreachable'), {
        code: 'unreachable',
        hint: t('error.unreachable.hint')
      });
    }
  }

  datasets = async (): Promise<Dataset[]> =>
    (await this.request<{ datasets: Dataset[] }>('GET', 'datasets')).datasets;
  models = async (): Promise<Model[]> =>
    (await this.request<{ models: Model[] }>('GET', 'models')).models;
  extractions = async (): Promise<Extraction[]> =>
    (await this.request<{ extractions: Extraction[] }>('GET', 'extractions')).extractions;
  jobs = async (): Promise<Job[]> => (await this.request<{ jobs: Job[] }>('GET', 'jobs')).jobs;

  system(signal?: AbortSignal): Promise<System> {
    return this.request('GET', 'system', { signal });
  }

  addDataset(body: DatasetRequest): Promise<{ dataset: Dataset; job?: Job | null }> {
    return this.request('POST', 'datasets', { body, starts: true });
  }

  addModel(body: ModelRequest): Promise<{ model: Model; job?: Job | null }> {
    return this.request('POST', 'models', { body, starts: true });
  }

  /** Searches the Hub; the token goes in a header of its own and is kept nowhere. */
  async hubSearch(
    kind: HubKind,
    q: string,
    token?: string,
    signal?: AbortSignal
  ): Promise<HubResult[]> {
    const headers = { 'X-Hub-Token': token };
    const found = await this.request<{ results: HubResult[] }>('GET', `hub/${kind}`, {
      query: { q },
      headers,
      signal
    });
    return found.results;
  }

  /** One repository before anything is downloaded. */
  hubRepository<T>(
    kind: HubKind,
    name: string,
    token?: string,
    signal?: AbortSignal,
    query?: Query
  ): Promise<T> {
    const path = name.split('/').map(encodeURIComponent).join('/');
    const headers = { 'X-Hub-Token': token };
    return this.request('GET', `hub/${kind}/${path}`, { query, headers, signal });
  }

  samples(id: string, query: Query, signal?: AbortSignal): Promise<SamplePage> {
    return this.request('GET', `datasets/${encodeURIComponent(id)}/samples`, { query, signal });
  }

  architecture(id: string, signal?: AbortSignal): Promise<Architecture> {
    return this.request('GET', `models/${encodeURIComponent(id)}/architecture`, { signal });
  }

  estimate(body: ExtractionRequest, signal?: AbortSignal): Promise<Estimate> {
    return this.request('POST', 'extractions/estimate', { body, signal });
  }

  extract(body: ExtractionRequest): Promise<{ extraction: Extraction; job: Job | null }> {
    return this.request('POST', 'extractions', { body, starts: true });
  }

  manifest(id: string, signal?: AbortSignal): Promise<Manifest> {
    return this.request('GET', `extractions/${encodeURIComponent(id)}/manifest`, { signal });
  }

  tokens(id: string, query: TokensQuery, signal?: AbortSignal): Promise<SampleValues> {
    return this.request('GET', `extractions/${encodeURIComponent(id)}/tokens`, {
      query: { ...query },
      signal
    });
  }

  /** Calls `each` with the best samples so far while the server reads the array. */
  top(
    id: string,
    query: RowsQuery & { order: string; count: number },
    each: (ranking: Ranking) => void,
    signal: AbortSignal
  ): Promise<void> {
    const path = `extractions/${encodeURIComponent(id)}/top`;
    return this.lines(path, { query: { ...query }, signal }, each);
  }

  projection(
    id: string,
    query: RowsQuery & { seed: number },
    signal: AbortSignal
  ): Promise<Projection> {
    return this.request('GET', `extractions/${encodeURIComponent(id)}/projection`, {
      query: { ...query },
      signal
    });
  }

  cancel(job: string): Promise<{ job: Job }> {
    return this.request('POST', `jobs/${encodeURIComponent(job)}/cancel`, { body: {} });
  }

  retry(job: string, mended: Mended = {}): Promise<{ job: Job }> {
    return this.request('POST', `jobs/${encodeURIComponent(job)}/retry`, {
      body: mended,
      starts: true
    });
  }

  setPriority(job: string, priority: number): Promise<{ job: Job }> {
    return this.request('PATCH', `jobs/${encodeURIComponent(job)}`, { body: { priority } });
  }

  /** The end of a log, or what was added since `offset`. */
  log(job: string, offset: number | null, signal?: AbortSignal): Promise<LogPart> {
    const query = offset === null ? { tail: 400 } : { offset };
    return this.request('GET', `jobs/${encodeURIComponent(job)}/log`, { query, signal });
  }

  async renameModel(id: string, name: string): Promise<Model> {
    return this.request('PATCH', `models/${encodeURIComponent(id)}`, { body: { name } });
  }

  async variants(id: string, signal?: AbortSignal): Promise<Model[]> {
    const path = `models/${encodeURIComponent(id)}/variants`;
    return (await this.request<{ variants: Model[] }>('GET', path, { signal })).variants;
  }

  makeVariant(
    id: string,
    format: string,
    fallback: boolean
  ): Promise<{ model: Model; job: Job | null }> {
    const path = `models/${encodeURIComponent(id)}/variants`;
    return this.request('POST', path, { body: { format, fallback }, starts: true });
  }

  modelDependents(id: string, signal?: AbortSignal): Promise<ModelDependents> {
    return this.request('GET', `models/${encodeURIComponent(id)}/dependents`, { signal });
  }

  tokenizer(id: string, signal?: AbortSignal): Promise<TokenizerFacts> {
    return this.request('GET', `models/${encodeURIComponent(id)}/tokenizer`, { signal });
  }

  removeModels(ids: string[]): Promise<DeletedMany> {
    return this.request('POST', 'models/delete', { body: { ids, variants: true } });
  }

  remove(
    noun: 'datasets' | 'models' | 'extractions' | 'jobs',
    id: string
  ): Promise<{ deleted: string[]; freed_bytes?: number }> {
    // The question before it has named the variants that go along.
    const query = noun === 'models' ? { variants: 'true' } : {};
    return this.request('DELETE', `${noun}/${encodeURIComponent(id)}`, { query });
  }
}

function parse(text: string): unknown {
  if (text === '') {
    return null;
  }
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function responseError(response: Response, data: unknown): ApiError {
  const body = (data && typeof data === 'object' ? data : {}) as Record<string, unknown>;
  const text = (key: string): string | null =>
    typeof body[key] === 'string' && body[key] !== '' ? (body[key] as string) : null;
  const code = text('code');
  if (response.status === 404 && code === null) {
    // The server answers, but has no such route at all.
    return new ApiError(t('error.notEnabled'), {
      status: 404,
      code: 'not_enabled',
      hint: t('error.notEnabled.hint')
    });
  }
  if ((response.status === 401 || response.status === 403) && code === null) {
    return new ApiError(t('error.forbidden'), {
      status: response.status,
      code: 'forbidden',
      hint: text('message') ?? t('error.forbidden.hint')
    });
  }
  const message = text('message') ?? t('error.status', { status: response.status });
  return new ApiError(message, {
    status: response.status,
    code: code ?? `http_${response.status}`,
    hint: text('hint'),
    field: text('field')
  });
}
