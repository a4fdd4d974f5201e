/** Choices of layers as people type them: `0,2-5`, `0-11:2`, `all`. */

import { t } from '../messages';

export type Parsed = { layers: number[]; error: null } | { layers: null; error: string };

const PART = /^(\d+)(?:\s*-\s*(\d+)\s*(?::\s*(\d+))?)?$/;

/** Reads a choice of layers of a model with `n` layers; the same grammar as in Python. */
export function parseLayers(text: string, n: number): Parsed {
  const trimmed = text.trim().toLowerCase();
  if (trimmed === 'all') {
    return { layers: range(0, n - 1, 1), error: null };
  }
  if (trimmed === '' || trimmed === 'none') {
    return { layers: [], error: null };
  }
  const chosen = new Set<number>();
  for (const part of trimmed.split(',')) {
    const match = PART.exec(part.trim());
    if (!match) {
      return { layers: null, error: t('hooks.bad', { text }) };
    }
    const first = Number(match[1]);
    const last = match[2] === undefined ? first : Number(match[2]);
    const step = Math.max(1, Number(match[3] ?? 1));
    if (Math.max(first, last) >= n) {
      return { layers: null, error: t('hooks.outOfRange', { layer: Math.max(first, last), n }) };
    }
    for (const layer of range(first, last, step)) {
      chosen.add(layer);
    }
  }
  return { layers: [...chosen].sort((a, b) => a - b), error: null };
}

/** The shortest text for layers: [0, 2, 3, 4] → "0,2-4"; [0, 2, 4, 6] → "0-6:2". */
export function formatLayers(layers: readonly number[], n?: number): string {
  const sorted = [...new Set(layers)].sort((a, b) => a - b);
  if (n !== undefined && n > 1 && sorted.length === n) {
    return 'all';
  }
  const stride = stepOf(sorted);
  if (stride > 1 && sorted.length > 3) {
    return `${sorted[0]}-${sorted[sorted.length - 1]}:${stride}`;
  }
  const parts: string[] = [];
  for (let i = 0; i < sorted.length; ) {
    let j = i;
    while (j + 1 < sorted.length && sorted[j + 1] === (sorted[j] ?? 0) + 1) {
      j += 1;
    }
    if (j - i >= 2) {
      parts.push(`${sorted[i]}-${sorted[j]}`);
    } else {
      parts.push(...sorted.slice(i, j + 1).map(String));
    }
    i = j + 1;
  }
  return parts.join(',');
}

export function range(first: number, last: number, step: number): number[] {
  const layers: number[] = [];
  for (let layer = first; layer <= last; layer += step) {
    layers.push(layer);
  }
  return layers;
}

/** The distance between layers that are equally far apart; 0 where there is none. */
export function stepOf(sorted: readonly number[]): number {
  const [first, second] = sorted;
  if (first === undefined || second === undefined) {
    return 0;
  }
  const step = second - first;
  return sorted.every((layer, i) => layer === first + i * step) ? step : 0;
}
