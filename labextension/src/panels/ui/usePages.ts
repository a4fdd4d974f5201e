import { useEffect, useReducer, useState } from 'preact/hooks';
import type { ApiError } from '../api';
import { Pages } from '../lib/pages';
import type { Page } from '../lib/pages';

interface Found<T, P extends Page<T>> {
  /** What is on the screen: while another key is being read still the one before. */
  pages: Pages<T, P> | null;
  /** The key that `pages` are of. */
  key: string | null;
  loading: boolean;
  error: ApiError | null;
  retry: () => void;
}

/**
 * Pages of what `key` stands for. What was there before stays until the first page of the new key is
 * there, so that nothing flickers while someone types.
 *
 * @param start row whose page is read first
 */
export function usePages<T, P extends Page<T>>(
  key: string,
  start: number,
  read: (offset: number, signal: AbortSignal) => Promise<P>
): Found<T, P> {
  const [shown, setShown] = useState<{ key: string; pages: Pages<T, P> } | null>(null);
  const [next, setNext] = useState<{ key: string; pages: Pages<T, P> } | null>(null);
  const [, changed] = useReducer((n: number) => n + 1, 0);
  useEffect(() => {
    const pages: Pages<T, P> = new Pages(read, () => {
      if (pages.latest) {
        setShown({ key, pages });
      }
      changed(undefined);
    });
    setNext({ key, pages });
    pages.want(start, start);
    return () => pages.dispose();
  }, [key]);
  const current = next?.key === key ? next.pages : null;
  return {
    pages: shown?.pages ?? null,
    key: shown?.key ?? null,
    loading: shown?.key !== key && !current?.error,
    error: current?.error ?? null,
    retry: () => current?.retry()
  };
}
