import { useEffect, useRef, useState } from 'preact/hooks';
import { isAbort, toApiError } from '../api';
import type { ApiError } from '../api';
import { usePanel } from '../context';
import { adjusted } from '../lib/estimate';
import type { Widths } from '../lib/estimate';
import type { Estimate, ExtractionRequest } from '../types';

/** Long enough to swallow typing, short enough to feel immediate. */
const DELAY_MS = 25;

interface State {
  key: string | null;
  value: Estimate | null;
  error: ApiError | null;
  /** What the value was estimated for. */
  request: ExtractionRequest | null;
}

const NOTHING: State = { key: null, value: null, error: null, request: null };

/**
 * The estimate for a request, following every change at once by arithmetic where that can tell;
 * the server's own replaces it. Else the last one stays until the next comes.
 */
export function useEstimate(
  request: ExtractionRequest | null,
  widths: Widths | null
): Pick<State, 'value' | 'error'> & { stale: boolean } {
  const { store } = usePanel();
  const [state, setState] = useState<State>(NOTHING);
  // A name changes nothing that is estimated.
  const key = request ? JSON.stringify({ ...request, name: undefined }) : null;
  const body = useRef(request);
  body.current = request;
  useEffect(() => {
    if (key === null) {
      setState(NOTHING);
      return;
    }
    const controller = new AbortController();
    const timer = setTimeout(() => {
      const { name: _, ...rest } = body.current as ExtractionRequest;
      store.api.estimate(rest, controller.signal).then(
        value => setState({ key, value, error: null, request: rest }),
        (error: unknown) => {
          if (!isAbort(error) && !controller.signal.aborted) {
            setState({ ...NOTHING, key, error: toApiError(error) });
          }
        }
      );
    }, DELAY_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [key, store]);
  const stale = key !== null && state.key !== key;
  const guess =
    stale && request && widths && state.value && state.request
      ? adjusted(state.value, state.request, request, widths)
      : null;
  return { value: guess ?? state.value, error: state.error, stale: stale && guess === null };
}
