/** A scatter plot on a canvas: where the points are, which one is meant, and how they look. */

import type { Projection } from '../types';
import type { Scale } from './scale';

export interface Plane {
  x: Float32Array;
  y: Float32Array;
}

export type Direction = readonly [x: number, y: number];

const MARGIN = 14;

/** How far from a point one may point, in CSS pixels. */
const REACH = 12;

/** The share of points on each side that a few far ones may not push together. */
const FAR = 0.005;

/** Where the points are on a canvas of this size, in CSS pixels. Far points lie on the border. */
export function layOut(
  canvas: { clientWidth: number; clientHeight: number },
  projection: Pick<Projection, 'x' | 'y'>
): Plane {
  const right = canvas.clientWidth - MARGIN;
  const bottom = canvas.clientHeight - MARGIN;
  return {
    x: along(projection.x.map(Number), MARGIN, right),
    y: along(projection.y.map(Number), bottom, MARGIN)
  };
}

/** Spreads numbers over an axis from `start` to `end`. */
function along(values: readonly number[], start: number, end: number): Float32Array {
  const sorted = [...values].sort((a, b) => a - b);
  const skip = Math.floor(FAR * sorted.length);
  const [low, high] = [sorted[skip] ?? 0, sorted[sorted.length - 1 - skip] ?? 0];
  // Room beyond, so that those at the border are seen to be farther out.
  const spare = 0.08 * (high - low || 1);
  const [first, span] = [low - spare, high - low + 2 * spare];
  return Float32Array.from(values, value => {
    const share = Math.min(1, Math.max(0, (value - first) / span));
    return start + share * (end - start);
  });
}

/** The point that is pointed at, or null. */
export function nearest({ x, y }: Plane, left: number, top: number): number | null {
  let best: number | null = null;
  let least = REACH ** 2;
  for (let i = 0; i < x.length; i += 1) {
    const distance = ((x[i] ?? 0) - left) ** 2 + ((y[i] ?? 0) - top) ** 2;
    if (distance <= least) {
      least = distance;
      best = i;
    }
  }
  return best;
}

/** The nearest point in a direction: further along it than to its sides. */
export function neighbour({ x, y }: Plane, from: number | null, [dx, dy]: Direction): number {
  if (from === null) {
    return 0;
  }
  let best = from;
  let least = Infinity;
  for (let i = 0; i < x.length; i += 1) {
    const right = (x[i] ?? 0) - (x[from] ?? 0);
    const down = (y[i] ?? 0) - (y[from] ?? 0);
    const along = right * dx + down * dy;
    const aside = Math.abs(right * dy) + Math.abs(down * dx);
    const distance = along ** 2 + 4 * aside ** 2;
    if (along > 0 && aside <= along && distance < least) {
      least = distance;
      best = i;
    }
  }
  return best;
}

/** Draws the points in the theme's colours, those with large values last. */
export function draw(
  canvas: HTMLCanvasElement,
  { x, y }: Plane,
  projection: Projection,
  scale: Scale,
  marked: number | null
): void {
  const context = canvas.getContext('2d');
  if (!context) {
    return;
  }
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(canvas.clientHeight * ratio);
  context.scale(ratio, ratio);
  const style = getComputedStyle(canvas);
  const ink = (name: string): string => style.getPropertyValue(name).trim();
  const [above, below, plain] = [
    '--jp-brand-color1',
    '--jp-warn-color1',
    '--jp-ui-font-color3'
  ].map(ink) as [string, string, string];
  const shares = projection.values.map(value => scale.share(value) ?? 0);
  const order = shares.map((_, i) => i).sort((a, b) => size(shares, a) - size(shares, b));
  for (const i of order) {
    const share = shares[i] ?? 0;
    context.globalAlpha = 0.35 + (0.6 * Math.abs(share)) / 100;
    context.fillStyle = Math.abs(share) < 4 ? plain : share > 0 ? above : below;
    shape(context, x[i] ?? 0, y[i] ?? 0, share < 0 ? 'square' : 'disc');
    context.fill();
  }
  if (marked !== null) {
    context.globalAlpha = 1;
    context.lineWidth = 2;
    context.strokeStyle = ink('--jp-ui-font-color0');
    context.beginPath();
    context.arc(x[marked] ?? 0, y[marked] ?? 0, 6, 0, 2 * Math.PI);
    context.stroke();
  }
}

function size(shares: readonly number[], i: number): number {
  return Math.abs(shares[i] ?? 0);
}

/** Below zero is told by the shape too. */
function shape(context: CanvasRenderingContext2D, x: number, y: number, kind: 'disc' | 'square') {
  context.beginPath();
  if (kind === 'square') {
    context.rect(x - 2.2, y - 2.2, 4.4, 4.4);
  } else {
    context.arc(x, y, 2.6, 0, 2 * Math.PI);
  }
}
