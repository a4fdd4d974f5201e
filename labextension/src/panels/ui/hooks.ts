/** Small hooks that panels share. */

import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { isAbort, toApiError } from '../api';
import type { ApiError } from '../api';
import type { Notice } from '../types';

let counter = 0;

/** An id for `for` and `aria-describedby`, unique in the page. */
export function useUid(prefix: string): string {
  const id = useRef('');
  if (id.current === '') {
    id.current = `jp-mistudio-${prefix}-${++counter}`;
  }
  return id.current;
}

interface Action<A extends unknown[]> {
  run: (...args: A) => Promise<boolean>;
  busy: boolean;
  error: ApiError | null;
  clear: () => void;
}

/** Runs something that talks to the server: busy while it runs, the error if it fails. */
export function useAction<A extends unknown[]>(
  action: (...args: A) => Promise<unknown>
): Action<A> {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const latest = useRef(action);
  latest.current = action;
  const mounted = useRef(true);
  useEffect(() => {
    mounted.current = true;
    return () => {
      mounted.current = false;
    };
  }, []);
  const run = useCallback(async (...args: A) => {
    setBusy(true);
    setError(null);
    let failure: ApiError | null = null;
    try {
      await latest.current(...args);
    } catch (thrown) {
      failure = toApiError(thrown);
    }
    if (mounted.current) {
      setBusy(false);
      setError(failure);
    }
    return failure === null;
  }, []);
  const clear = useCallback(() => setError(null), []);
  return { run, busy, error, clear };
}

interface Fetched<T> {
  value: T | null;
  error: ApiError | null;
  loading: boolean;
  reload: () => void;
}

/** Fetches when `key` changes, forgetting answers that come too late; null fetches nothing. */
export function useFetch<T>(
  key: string | null,
  fetcher: (signal: AbortSignal) => Promise<T>
): Fetched<T> {
  const [state, setState] = useState<{
    key: string | null;
    value: T | null;
    error: ApiError | null;
  }>({ key: null, value: null, error: null });
  const [round, setRound] = useState(0);
  const latest = useRef(fetcher);
  latest.current = fetcher;
  useEffect(() => {
    if (key === null) {
      return;
    }
    const controller = new AbortController();
    latest.current(controller.signal).then(
      value => {
        if (!controller.signal.aborted) {
          setState({ key, value, error: null });
        }
      },
      (error: unknown) => {
        if (!controller.signal.aborted && !isAbort(error)) {
          setState(previous => ({
            key,
            value: previous.key === key ? previous.value : null,
            error: toApiError(error)
          }));
        }
      }
    );
    return () => controller.abort();
  }, [key, round]);
  const reload = useCallback(() => setRound(n => n + 1), []);
  const current = state.key === key;
  return {
    value: state.value,
    error: current ? state.error : null,
    loading: key !== null && !current,
    reload
  };
}

/** What of a request had no effect, as one text: e.g. a second name for what is there already. */
export function noticesOf(record: { notices?: Notice[] }): string {
  const said = (record.notices ?? []).flatMap(({ message, hint }) => [message, hint]);
  return said.filter(Boolean).join(' ');
}

/** Copies text; where the page may not use the clipboard, says so. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // No permission, or a plain-HTTP page, which has no clipboard at all.
    return false;
  }
}
