/** What a change of the form does to the last estimate, at once; the server's own follows. */

import type { Estimate, ExtractionRequest, HookPoint } from '../types';
import { expand } from './hooks';

const ITEM_BYTES: Record<string, number> = { float16: 2, bfloat16: 2, float32: 4 };

/** What of a request decides how much is stored. */
interface Extent {
  width: number;
  item: number;
  layout: string;
  positions: string;
  samples: number | null;
}

/** Widths of hook points by name; what is not known there is as wide as the stream. */
export interface Widths {
  hooks: readonly HookPoint[];
  nLayers: number;
  dModel: number;
}

function extentOf(request: ExtractionRequest, widths: Widths): Extent {
  const known = new Map(widths.hooks.map(hook => [hook.name, hook.d]));
  const names = expand({ layers: request.layers ?? null, hooks: request.hooks }, widths.nLayers);
  return {
    width: names.reduce((sum, name) => sum + (known.get(name) ?? widths.dModel), 0),
    item: ITEM_BYTES[request.dtype ?? 'float16'] ?? 2,
    layout: request.layout ?? 'packed',
    positions: request.positions ?? 'all',
    samples: request.max_samples ?? null
  };
}

/**
 * The estimate for another request of the same model, dataset, split and context; null where
 * only the server can tell. As `services/estimates.py` counts: rows times widths times bytes.
 */
export function adjusted(
  last: Estimate,
  before: ExtractionRequest,
  now: ExtractionRequest,
  widths: Widths
): Estimate | null {
  const [old, next] = [extentOf(before, widths), extentOf(now, widths)];
  const same = (['model', 'dataset', 'split', 'context', 'mode', 'device'] as const).every(
    key => before[key] === now[key]
  );
  if (!same || old.width === 0 || !last.n_samples || !last.n_tokens || last.bytes === null) {
    return null;
  }
  const samples = samplesAfter(last.n_samples, old.samples, next.samples);
  if (samples === null) {
    return null;
  }
  const share = samples / last.n_samples;
  const tokens = Math.round(last.n_tokens * share);
  const rows = rowsOf(next, samples, tokens);
  if (rows === null) {
    return null;
  }
  return {
    ...last,
    exact: last.exact && share === 1,
    n_samples: samples,
    n_tokens: tokens,
    bytes: rows * next.width * next.item + 4 * tokens + 16 * samples,
    seconds: last.seconds === null ? null : last.seconds * share
  };
}

/** How many samples there will be: more than were counted cannot be known here. */
function samplesAfter(counted: number, old: number | null, next: number | null): number | null {
  if (old === next) {
    return counted;
  }
  if (next !== null && (next <= counted || old === null || counted < old)) {
    return Math.min(next, counted);
  }
  return null;
}

/** Rows of an array; how long a padded row is only the server knows. */
function rowsOf(extent: Extent, samples: number, tokens: number): number | null {
  if (extent.positions !== 'all') {
    return samples;
  }
  return extent.layout === 'padded' ? null : tokens;
}
