import { useEffect, useRef, useState } from 'preact/hooks';
import { isAbort, toApiError } from '../api';
import type { ApiError } from '../api';
import { usePanel } from '../context';
import { adjusted } from '../lib/estimate';
import type { Widths } from '../lib/estimate';
import type { Estimate, ExtractionRequest } from '../types';

/** What was estimated last; the store keeps it for when the form is shown again. */
export interface Estimated {
  key: string | null;
  value: Estimate | null;
  error: ApiError | null;
  /** What the value was estimated for. */
  request: ExtractionRequest | null;
}

const NOTHING: Estimated = { key: null, value: null, error: null, request: null };

/**
 * The estimate for a request, following every change at once by arithmetic where that can tell;
 * the server's own replaces it. Else the last one stays until the next comes.
 */
export function useEstimate(
  request: ExtractionRequest | null,
  widths: Widths | null
): Pick<Estimated, 'value' | 'error'> & { stale: boolean } {
  const { store } = usePanel();
  const [state, setState] = useState<Estimated>(store.estimated ?? NOTHING);
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
    const keep = (next: Estimated): void => {
      store.estimated = next;
      setState(next);
    };
    const { name: _, ...rest } = body.current as ExtractionRequest;
    store.api.estimate(rest, controller.signal).then(
      value => keep({ key, value, error: null, request: rest }),
      (error: unknown) => {
        if (!isAbort(error) && !controller.signal.aborted) {
          keep({ ...NOTHING, key, error: toApiError(error) });
        }
      }
    );
    return () => controller.abort();
  }, [key, store]);
  const stale = key !== null && state.key !== key;
  const guess =
    stale && request && widths && state.value && state.request
      ? adjusted(state.value, state.request, request, widths)
      : null;
  return { value: guess ?? state.value, error: state.error, stale: stale && guess === null };
}
