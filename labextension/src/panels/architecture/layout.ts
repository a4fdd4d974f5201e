/**
 * Where everything of a block's drawing is, in em. The stream runs down on the left; branches leave
 * it to the right and come back as sums.
 */

import type { BlockPoint, GlobalPoint } from '../lib/hooks';
import type { BlockForm } from './block';

export type PartKind = 'norm' | 'mixer' | 'mlp';

export interface Part {
  kind: PartKind;
  x: number;
  y: number;
  w: number;
  h: number;
}

type Place = readonly [x: number, y: number];

export interface Layout {
  height: number;
  /** Top and bottom of the frame around the block. */
  frame: Place;
  /** From the embedding to the end. */
  stream: Place;
  points: Partial<Record<BlockPoint | GlobalPoint, Place>>;
  parts: Part[];
  /** Paths of SVG. */
  branches: string[];
  /** Where a branch enters a part, and where it comes back to the stream. */
  arrowsDown: Place[];
  sums: number[];
}

export const WIDTH = 22;
export const STREAM = 4.4;
/** Between stream and branch, where a branch comes back. */
const JOIN = 10.6;
const BRANCH = 16.4;
/** The two branches of a parallel block, side by side. */
const LEFT = 10.7;
const RIGHT = 18.1;

const SIZE = { norm: 1.7, mixer: 2.7, mlp: 2.7, point: 2 };
const GAP = 0.6;
/** From a point on the stream down to the next thing. */
const STEP = 2.5;

type Item = PartKind | BlockPoint;

interface Branch {
  x: number;
  width: number;
  items: Item[];
}

class Drawing implements Layout {
  height = 0;
  frame: Place = [2.8, 0];
  stream: Place = [1.1, 0];
  points: Layout['points'] = { embed: [STREAM, 1.1], resid_pre: [STREAM, 4.5] };
  parts: Part[] = [];
  branches: string[] = [];
  arrowsDown: Place[] = [];
  sums: number[] = [];

  /** Places a branch's items one below the other; returns where the last one ends. */
  column({ x, width, items }: Branch, from: number): number {
    let y = from;
    for (const item of items) {
      const part = item === 'norm' || item === 'mixer' || item === 'mlp';
      const h = part ? SIZE[item] : SIZE.point;
      y += GAP;
      if (part) {
        this.parts.push({ kind: item, x, y: y + h / 2, w: width, h });
        this.arrowsDown.push([x, y]);
      } else {
        this.points[item] = [x, y + h / 2];
      }
      y += h;
    }
    return y;
  }

  /** Adds a branch to the stream again, through a norm where the stream has one there. */
  sum(at: number, postNorm: boolean): number {
    this.sums.push(at);
    if (!postNorm) {
      return at + STEP;
    }
    const y = at + 2;
    this.parts.push({ kind: 'norm', x: STREAM, y, w: 6.4, h: SIZE.norm });
    return y + STEP;
  }

  /** One branch off the stream at `from`; returns where the stream goes on. */
  oneBranch(from: number, items: Item[], out: BlockPoint, postNorm: boolean): number {
    const end = this.column({ x: BRANCH, width: 8.6, items }, from + GAP);
    const join = end + 1.1;
    this.branches.push(`M${STREAM} ${from}H${BRANCH}V${join}H${STREAM + 0.6}`);
    this.points[out] = [JOIN, join];
    return this.sum(join, postNorm);
  }

  /** Two branches off the same place of the stream, side by side. */
  twoBranches(from: number, first: Item[], second: Item[], shared: boolean): number {
    let top = from + GAP;
    let split = from;
    if (shared) {
      const middle = (LEFT + RIGHT) / 2;
      this.branches.push(`M${STREAM} ${from}H${middle}V${top}`);
      top = this.column({ x: middle, width: 6.8, items: ['norm'] }, top);
      split = top + GAP;
      top = split + 0.2;
    }
    const end = Math.max(
      this.column({ x: LEFT, width: 6.8, items: first }, top),
      this.column({ x: RIGHT, width: 6.8, items: second }, top)
    );
    const join = end + 1;
    const start = shared ? LEFT : STREAM;
    this.branches.push(`M${start} ${split}H${RIGHT}V${join}H${STREAM + 0.6}`);
    this.branches.push(`M${LEFT} ${split}V${join}`);
    return this.sum(join, false);
  }
}

/** The drawing of a block of this form. */
export function layoutOf(form: BlockForm): Layout {
  const drawing = new Drawing();
  const before: Item[] = form.norm === 'pre' || form.norm === 'sandwich' ? ['norm'] : [];
  const after: Item[] = form.norm === 'sandwich' || form.norm === 'branch' ? ['norm'] : [];
  const postNorm = form.norm === 'stream';
  const mixer = (first: Item[]): Item[] => [...first, 'mixer', 'z', ...after];
  const mlp = (first: Item[]): Item[] => [...first, 'mlp', 'mlp_post', ...after];
  let y = 4.5;
  if (form.shape === 'parallel') {
    const own = form.sharedNorm ? [] : before;
    y = drawing.twoBranches(
      y,
      [...mixer(own), 'attn_out'],
      [...mlp(own), 'mlp_out'],
      form.sharedNorm && before.length > 0
    );
  } else {
    y = drawing.oneBranch(y, mixer(before), 'attn_out', postNorm);
    if (form.shape !== 'single') {
      drawing.points.resid_mid = [STREAM, y];
      y = drawing.oneBranch(y, mlp(before), 'mlp_out', postNorm);
    }
  }
  drawing.points.resid_post = [STREAM, y];
  drawing.frame = [2.8, y + 1.7];
  drawing.points.ln_final = [STREAM, y + 3.4];
  drawing.stream = [1.1, y + 3.4];
  drawing.height = y + 4.6;
  return drawing;
}
