import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type { IAfmModule } from './afm';
import { VERSION } from './version';

/** Why the panels cannot be shown. */
export type Problem = 'server-missing' | 'forbidden' | 'unreachable' | 'broken-bundle';

/** The server half is not there, or not as it should be. */
export class BundleError extends Error {
  constructor(
    readonly problem: Problem,
    message: string
  ) {
    super(message);
  }
}

const STATIC = 'static/mistudio_ext';

/**
 * Load the panels that the server extension ships.
 *
 * The content hash in the URL lets the browser keep the bundle for good.
 */
export async function loadPanels(): Promise<IAfmModule> {
  const hash = await bundleHash();
  const url = URLExt.join(PageConfig.getBaseUrl(), STATIC, 'panels.js') + `?v=${hash}`;
  try {
    const module = (await import(/* webpackIgnore: true */ url)) as { default: IAfmModule };
    return module.default;
  } catch (error) {
    throw new BundleError('broken-bundle', String(error));
  }
}

/** Fetch a JSON document of the REST interface. */
export async function fetchJson<T>(path: string): Promise<T> {
  const response = await request(`mistudio/api/v1/${path}`);
  if (!response.ok) {
    throw await ServerConnection.ResponseError.create(response);
  }
  return (await response.json()) as T;
}

async function bundleHash(): Promise<string> {
  const response = await request(`${STATIC}/manifest.json`);
  if (response.status === 404) {
    throw new BundleError('server-missing', 'The server does not know miStudio.');
  }
  if (response.status === 403) {
    throw new BundleError('forbidden', 'The server refused access to miStudio.');
  }
  if (!response.ok) {
    throw new BundleError('unreachable', `The server answered ${response.status}.`);
  }
  const manifest = (await response.json()) as Record<string, { hash: string } | undefined>;
  return manifest['panels.js']?.hash ?? VERSION;
}

async function request(path: string): Promise<Response> {
  const settings = ServerConnection.makeSettings();
  const url = URLExt.join(settings.baseUrl, path);
  try {
    return await ServerConnection.makeRequest(url, { cache: 'no-cache' }, settings);
  } catch (error) {
    throw new BundleError('unreachable', String(error));
  }
}
