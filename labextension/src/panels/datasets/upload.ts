/** Sends a file to the server in pieces, goes on after a break, and says how far it is. */

import { ApiError, isAbort, toApiError } from '../api';
import type { Api } from '../api';
import type { Upload } from './types';

/** Large enough to be fast, small enough for a proxy's limits; halved where one refuses it. */
const PIECE = 8 << 20;
const SMALLEST = 64 << 10;
/** Breaks in a row without a byte of progress before giving up. */
const TRIES = 5;

export interface Sent {
  sent: number;
  /** Bytes a second over the last pieces. */
  rate: number | null;
}

interface Options {
  signal: AbortSignal;
  onProgress: (sent: Sent) => void;
  /** An upload of the same file that was begun before. */
  resume?: string | null;
  onBegun?: (id: string) => void;
  /** Waits; a test makes it short. */
  pause?: (ms: number) => Promise<void>;
}

const wait = (ms: number): Promise<void> => new Promise(done => setTimeout(done, ms));

/** Uploads a file and returns what the server found in it. */
export async function upload(api: Api, file: File, options: Options): Promise<Upload> {
  let state = await begin(api, file, options);
  options.onBegun?.(state.id);
  const pause = options.pause ?? wait;
  let size = PIECE;
  let failures = 0;
  const began = { at: performance.now(), offset: state.offset };
  while (state.state !== 'complete') {
    options.signal.throwIfAborted();
    const end = Math.min(state.offset + size, file.size);
    try {
      state = await sendPiece(api, file, state, end, options.signal);
      failures = 0;
    } catch (thrown) {
      if (isAbort(thrown)) {
        throw thrown;
      }
      const error = toApiError(thrown);
      if (error.status === 413 && size > SMALLEST) {
        size = Math.max(SMALLEST, size >> 1);
        continue;
      }
      const passing = error.code === 'unreachable' || error.status >= 500 || error.status === 409;
      if (!passing || ++failures >= TRIES) {
        throw error;
      }
      await pause(300 * 2 ** failures);
      // The server knows what arrived before the break.
      state = await current(api, state, options.signal);
    }
    const seconds = (performance.now() - began.at) / 1000;
    const rate = seconds > 0.5 ? (state.offset - began.offset) / seconds : null;
    options.onProgress({ sent: state.offset, rate });
  }
  return state;
}

async function begin(api: Api, file: File, options: Options): Promise<Upload> {
  if (options.resume) {
    try {
      const found = await api.request<Upload>('GET', `uploads/${options.resume}`, {
        signal: options.signal
      });
      if (found.name === file.name && found.size === file.size) {
        return found;
      }
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) {
        throw error;
      }
    }
  }
  return api.request('POST', 'uploads', {
    body: { name: file.name, size: file.size },
    signal: options.signal
  });
}

async function current(api: Api, state: Upload, signal: AbortSignal): Promise<Upload> {
  try {
    return await api.request<Upload>('GET', `uploads/${state.id}`, { signal });
  } catch (error) {
    if (isAbort(error) || (error instanceof ApiError && error.status === 404)) {
      throw error;
    }
    return state;
  }
}

function sendPiece(
  api: Api,
  file: File,
  state: Upload,
  end: number,
  signal: AbortSignal
): Promise<Upload> {
  return api.request('PUT', `uploads/${state.id}`, {
    raw: file.slice(state.offset, end),
    headers: { 'Content-Range': `bytes ${state.offset}-${end - 1}/${file.size}` },
    signal
  });
}

export function discard(api: Api, id: string): Promise<unknown> {
  return api.request('DELETE', `uploads/${id}`);
}

const key = (file: File): string =>
  `mistudio-upload ${file.name} ${file.size} ${file.lastModified}`;

/** The upload of this very file that an earlier page began, if it is remembered. */
export function remembered(file: File): string | null {
  try {
    return localStorage.getItem(key(file));
  } catch {
    return null;
  }
}

/** Remembers an upload across a reload of the page, or forgets it. */
export function remember(file: File, id: string | null): void {
  try {
    if (id === null) {
      localStorage.removeItem(key(file));
    } else {
      localStorage.setItem(key(file), id);
    }
  } catch {
    // No storage for this page: the upload begins anew after a reload.
  }
}
