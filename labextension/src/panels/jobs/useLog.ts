import { useEffect, useState } from 'preact/hooks';
import { isAbort, toApiError } from '../api';
import type { ApiError } from '../api';
import { usePanel } from '../context';
import type { Job } from '../types';

/** Between two looks at the log of a running job. */
const REFRESH_MS = 1_000;

/** Of a log that grows for days the end is kept. */
const KEPT = 400_000;

interface Log {
  text: string | null;
  truncated: boolean;
  error: ApiError | null;
  reload: () => void;
}

/** The end of a job's log; while the job runs, what is added to it. */
export function useLog(job: Job): Log {
  const { store } = usePanel();
  const [text, setText] = useState<string | null>(null);
  const [truncated, setTruncated] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const [round, setRound] = useState(0);
  useEffect(() => {
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let offset: number | null = null;
    const read = async (): Promise<void> => {
      try {
        const part = await store.api.log(job.id, offset, controller.signal);
        const anew = offset === null || part.truncated;
        if (anew) {
          setTruncated(part.truncated);
        }
        if (anew || part.text !== '') {
          setText(before => ((anew ? '' : (before ?? '')) + part.text).slice(-KEPT));
        }
        offset = part.next_offset;
        setError(null);
      } catch (thrown) {
        if (isAbort(thrown)) {
          return;
        }
        setError(toApiError(thrown));
      }
      if (job.state === 'running' && !controller.signal.aborted) {
        timer = setTimeout(() => void read(), REFRESH_MS);
      }
    };
    void read();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
    // The state is part of it: the last lines are written when the job ends.
  }, [store, job.id, job.state, round]);
  return { text, truncated, error, reload: () => setRound(round + 1) };
}
