/** From a value to a colour: diverging around zero for a dimension, from none to much for a norm. */

import type { Values } from '../types';

export interface Scale {
  least: number;
  most: number;
  /** Shares of the colour in hundredths, negative below zero; null where there is no value. */
  share: (value: number | null | undefined) => number | null;
}

/** Strongest mixture of a colour with what lies under the text, so that the text keeps its contrast. */
export const STRONGEST = 45;

/**
 * The scale of some values. A dimension's is symmetric around zero; a norm's begins at its least
 * value, because norms of one place differ by little compared with their size.
 */
export function scaleOf(values: Values, diverging: boolean): Scale {
  const finite = values.filter((value): value is number => value !== null);
  const [low, high] = [Math.min(...finite, Infinity), Math.max(...finite, -Infinity)];
  if (finite.length === 0) {
    return { least: 0, most: 0, share: () => null };
  }
  if (diverging) {
    const most = Math.max(Math.abs(low), Math.abs(high));
    return { least: -most, most, share: value => part(value, most) };
  }
  return {
    least: low,
    most: high,
    share: value => (value === null || value === undefined ? null : part(value - low, high - low))
  };
}

function part(value: number | null | undefined, most: number): number | null {
  if (value === null || value === undefined) {
    return null;
  }
  return most === 0 ? 0 : Math.max(-100, Math.min(100, Math.round((100 * value) / most)));
}

/** The CSS colour of a share, by the theme's own colours. */
export function colour(share: number | null): string | undefined {
  if (share === null || share === 0) {
    return undefined;
  }
  const name = share > 0 ? '--jp-brand-color1' : '--jp-warn-color1';
  const strength = Math.round((STRONGEST * Math.abs(share)) / 100);
  return `color-mix(in srgb, var(${name}) ${strength}%, transparent)`;
}
