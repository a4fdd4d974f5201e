import { useEffect, useRef, useState } from 'preact/hooks';
import { isAbort, toApiError } from '../api';
import type { ApiError } from '../api';
import { usePanel } from '../context';
import type { Estimate, ExtractionRequest } from '../types';

/** Long enough to swallow typing, short enough to feel immediate. */
const DELAY_MS = 25;

interface State {
  key: string | null;
  value: Estimate | null;
  error: ApiError | null;
}

/** The estimate for a request, following every change; the last one stays until the next comes. */
export function useEstimate(request: ExtractionRequest | null): State & { stale: boolean } {
  const { store } = usePanel();
  const [state, setState] = useState<State>({ key: null, value: null, error: null });
  // A name changes nothing that is estimated.
  const key = request ? JSON.stringify({ ...request, name: undefined }) : null;
  const body = useRef(request);
  body.current = request;
  useEffect(() => {
    if (key === null) {
      setState({ key: null, value: null, error: null });
      return;
    }
    const controller = new AbortController();
    const timer = setTimeout(() => {
      const { name: _, ...rest } = body.current as ExtractionRequest;
      store.api.estimate(rest, controller.signal).then(
        value => setState({ key, value, error: null }),
        (error: unknown) => {
          if (!isAbort(error) && !controller.signal.aborted) {
            setState({ key, value: null, error: toApiError(error) });
          }
        }
      );
    }, DELAY_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [key, store]);
  return { ...state, stale: key !== null && state.key !== key };
}
