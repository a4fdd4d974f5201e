import { afterEach, describe, expect, it, vi } from 'vitest';
import { Api, ApiError, findConnection, xsrfToken } from '../api';

const api = new Api({ baseUrl: 'http://localhost:8888/user/ada/', token: null });

function answer(body: unknown, status = 200): ReturnType<typeof vi.fn> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const fetcher = vi.fn(async () => new Response(text, { status }));
  vi.stubGlobal('fetch', fetcher);
  return fetcher;
}

async function failure(promise: Promise<unknown>): Promise<ApiError> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown
  );
  expect(error).toBeInstanceOf(ApiError);
  return error as ApiError;
}

afterEach(() => {
  vi.unstubAllGlobals();
  document.cookie = '_xsrf=; max-age=0';
  document.body.replaceChildren();
});

describe('requests', () => {
  it('go below the base URL with a query that leaves out what is empty', () => {
    expect(api.url('datasets/ds_1/samples', { split: 'train', offset: 0, q: '' })).toBe(
      'http://localhost:8888/user/ada/mistudio/api/v1/datasets/ds_1/samples?split=train&offset=0'
    );
  });

  it('carry the XSRF token on GET too, because a hub refuses them without', async () => {
    document.cookie = '_xsrf=2|abc';
    const fetcher = answer({ datasets: [] });
    await api.datasets();
    const [, init] = fetcher.mock.calls[0] as unknown as [string, RequestInit];
    expect((init.headers as Record<string, string>)['X-XSRFToken']).toBe('2|abc');
    expect((init.headers as Record<string, string>)['Authorization']).toBeUndefined();
  });

  it('carry the token where one was given', async () => {
    const fetcher = answer({ jobs: [] });
    await new Api({ baseUrl: 'http://localhost:8888/', token: 'secret' }).jobs();
    const [, init] = fetcher.mock.calls[0] as unknown as [string, RequestInit];
    expect((init.headers as Record<string, string>)['Authorization']).toBe('token secret');
  });

  it('carry a new idempotency key when they start work', async () => {
    const fetcher = answer({ dataset: {}, job: null });
    await api.addDataset({ source: 'sample' });
    await api.addDataset({ source: 'sample' });
    const keys = fetcher.mock.calls.map(
      call =>
        ((call as unknown as [string, RequestInit])[1].headers as Record<string, string>)[
          'Idempotency-Key'
        ]
    );
    expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
    expect(keys[0]).not.toBe(keys[1]);
  });
});

describe('errors', () => {
  it('keep message, code, hint and field', async () => {
    answer({ message: 'No such column.', code: 'no_such_column', hint: 'h', field: 'column' }, 422);
    const error = await failure(api.addDataset({ source: 'path', path: '/x' }));
    expect(error).toMatchObject({
      message: 'No such column.',
      code: 'no_such_column',
      hint: 'h',
      field: 'column',
      status: 422
    });
  });

  it('say that the server half is not enabled', async () => {
    answer('<html>404</html>', 404);
    expect((await failure(api.jobs())).code).toBe('not_enabled');
  });

  it('say that the server does not answer', async () => {
    vi.stubGlobal('fetch', async () => {
      throw new TypeError('Failed to fetch');
    });
    expect((await failure(api.jobs())).code).toBe('unreachable');
  });

  it('take a login page for no data', async () => {
    answer('<html>login</html>', 200);
    expect((await failure(api.jobs())).code).toBe('not_json');
  });

  it('let an abort through as it is', async () => {
    vi.stubGlobal('fetch', async () => {
      throw new DOMException('aborted', 'AbortError');
    });
    await expect(api.system()).rejects.toHaveProperty('name', 'AbortError');
  });
});

describe('connection', () => {
  it('comes from the page where the host gives none', () => {
    const element = document.createElement('script');
    element.id = 'jupyter-config-data';
    element.type = 'application/json';
    element.textContent = '{"baseUrl": "/user/ada/", "token": "t"}';
    document.body.append(element);
    const { baseUrl, token } = findConnection(null, null);
    expect(new URL(baseUrl).pathname).toBe('/user/ada/');
    expect(token).toBe('t');
    expect(findConnection('https://other.example/lab', 'x')).toEqual({
      baseUrl: 'https://other.example/lab/',
      token: 'x'
    });
  });

  it('reads the first of several XSRF cookies', () => {
    expect(xsrfToken('a=1; _xsrf=user; _xsrf=hub')).toBe('user');
    expect(xsrfToken('not_xsrf=1')).toBeNull();
  });
});
