import { useEffect, useRef, useState } from 'preact/hooks';
import { isAbort, toApiError } from '../api';
import type { ApiError } from '../api';
import { usePanel } from '../context';
import type { Ranking } from '../types';
import { SKIP_FIRST } from './choice';
import type { LookChoice } from './choice';

/** Samples that are shown. */
const COUNT = 20;

interface Search {
  ranking: Ranking | null;
  error: ApiError | null;
  running: boolean;
  stop: () => void;
  again: () => void;
}

/** Searches while it is shown, anew when what is looked for changes; the server stops with it. */
export function useRanking(
  extraction: string,
  { hook, dimension }: LookChoice,
  order: string
): Search {
  const { store } = usePanel();
  const [ranking, setRanking] = useState<Ranking | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [running, setRunning] = useState(true);
  const [round, setRound] = useState(0);
  const controller = useRef<AbortController | null>(null);
  useEffect(() => {
    const mine = new AbortController();
    controller.current = mine;
    setRunning(true);
    setError(null);
    setRanking(null);
    store.api
      .top(
        extraction,
        { hook, dimension, order, count: COUNT, skip_first: SKIP_FIRST },
        setRanking,
        mine.signal
      )
      .then(
        () => setRunning(false),
        (thrown: unknown) => {
          // What another search has begun is not ended by this one.
          if (controller.current === mine) {
            setRunning(false);
            setError(isAbort(thrown) ? null : toApiError(thrown));
          }
        }
      );
    return () => mine.abort();
  }, [store, extraction, hook, dimension, order, round]);
  return {
    ranking,
    error,
    running,
    stop: () => controller.current?.abort(),
    again: () => setRound(round + 1)
  };
}
