import { useEffect, useRef, useState } from 'preact/hooks';
import { isAbort, toApiError } from '../api';
import type { ApiError } from '../api';

interface Live<T> {
  /** The newest answer; while another is on its way, the one before. */
  value: T | null;
  error: ApiError | null;
}

/**
 * Follows something that changes with every key. What `key` stands for is asked for at once when nothing
 * is under way, else as soon as the answer is there: never two requests at a time, and no pause.
 */
export function useLive<T>(
  key: string | null,
  fetcher: (key: string, signal: AbortSignal) => Promise<T>
): Live<T> {
  const [live, setLive] = useState<Live<T>>({ value: null, error: null });
  const wanted = useRef(key);
  const running = useRef(false);
  const latest = useRef(fetcher);
  latest.current = fetcher;
  const end = useRef(new AbortController());
  useEffect(() => () => end.current.abort(), []);
  useEffect(() => {
    wanted.current = key;
    const follow = async (): Promise<void> => {
      running.current = true;
      let answered: string | null = null;
      while (wanted.current !== answered && wanted.current !== null) {
        answered = wanted.current;
        try {
          const value = await latest.current(answered, end.current.signal);
          setLive({ value, error: null });
        } catch (error) {
          if (isAbort(error)) {
            return;
          }
          setLive(before => ({ ...before, error: toApiError(error) }));
        }
      }
      running.current = false;
    };
    if (!running.current) {
      void follow();
    }
  }, [key]);
  return live;
}
