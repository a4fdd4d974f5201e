/** The vocabulary of hook points, as in `mistudio_ext/hookpoints.py`. */

import { range } from './layers';

/** Points of a block in the order of the forward pass: short name → path below `blocks.{i}.`. */
export const BLOCK_POINTS = {
  resid_pre: 'hook_resid_pre',
  z: 'attn.hook_z',
  attn_out: 'hook_attn_out',
  resid_mid: 'hook_resid_mid',
  mlp_post: 'mlp.hook_post',
  mlp_out: 'hook_mlp_out',
  resid_post: 'hook_resid_post'
} as const;

export const GLOBAL_POINTS = {
  embed: 'hook_embed',
  ln_final: 'ln_final.hook_normalized'
} as const;

export type BlockPoint = keyof typeof BLOCK_POINTS;
export type GlobalPoint = keyof typeof GLOBAL_POINTS;

export const BLOCK_SHORTS = Object.keys(BLOCK_POINTS) as BlockPoint[];
export const GLOBAL_SHORTS = Object.keys(GLOBAL_POINTS) as GlobalPoint[];

const ALIASES: Record<string, string> = {
  residual: 'resid_post',
  mlp: 'mlp_out',
  attention: 'attn_out',
  post: 'mlp_post'
};

const SHORT_BY_PATH = new Map<string, BlockPoint>(
  BLOCK_SHORTS.map(short => [BLOCK_POINTS[short], short])
);
const SHORT_BY_NAME = new Map<string, GlobalPoint>(
  GLOBAL_SHORTS.map(short => [GLOBAL_POINTS[short], short])
);

export function isBlockPoint(short: string): short is BlockPoint {
  return short in BLOCK_POINTS;
}

export function isGlobalPoint(short: string): short is GlobalPoint {
  return short in GLOBAL_POINTS;
}

/** blockPoint(2, "resid_post") → "blocks.2.hook_resid_post". */
export function blockPoint(layer: number, short: BlockPoint): string {
  return `blocks.${layer}.${BLOCK_POINTS[short]}`;
}

/** "blocks.2.hook_resid_post" → layer 2, short "resid_post"; other names have no layer. */
export function splitName(name: string): { layer: number | null; short: string } {
  const global = SHORT_BY_NAME.get(name);
  if (global) {
    return { layer: null, short: global };
  }
  const match = /^blocks\.(\d+)\.(.+)$/.exec(name);
  const short = match ? SHORT_BY_PATH.get(match[2] ?? '') : undefined;
  return match && short ? { layer: Number(match[1]), short } : { layer: null, short: name };
}

/** Names in the order of the forward pass. */
export function sortHooks(names: Iterable<string>): string[] {
  const key = (name: string): [number, number, string] => {
    const { layer, short } = splitName(name);
    if (short === 'embed') {
      return [-1, 0, name];
    }
    if (layer !== null) {
      return [layer, BLOCK_SHORTS.indexOf(short as BlockPoint), name];
    }
    return [Number.MAX_SAFE_INTEGER, short === 'ln_final' ? 0 : 1, name];
  };
  return [...new Set(names)]
    .map(name => ({ name, key: key(name) }))
    .sort(
      (a, b) =>
        a.key[0] - b.key[0] || a.key[1] - b.key[1] || (a.key[2] < b.key[2] ? -1 : +(a.key[2] > b.key[2]))
    )
    .map(entry => entry.name);
}

/** A choice as the REST interface and `ms.extract` take it. */
export interface Choice {
  /** Layers for the short names; null means all. */
  layers: number[] | null;
  /** Short names, full names, or `module:<path>`. */
  hooks: string[];
}

/** Full names of a choice, in order; layers that the model lacks are left out. */
export function expand(choice: Choice, nLayers: number): string[] {
  const layers = (choice.layers ?? range(0, nLayers - 1, 1))
    .map(layer => (layer < 0 ? layer + nLayers : layer))
    .filter(layer => layer >= 0 && layer < nLayers);
  const names: string[] = [];
  for (const hook of choice.hooks) {
    const short = ALIASES[hook] ?? hook;
    if (isBlockPoint(short)) {
      names.push(...layers.map(layer => blockPoint(layer, short)));
    } else if (isGlobalPoint(short)) {
      names.push(GLOBAL_POINTS[short]);
    } else if ((splitName(hook).layer ?? 0) < nLayers) {
      names.push(hook);
    }
  }
  return sortHooks(names);
}

/** The shortest choice that expands to these names: layers × short names where that is exact. */
export function contract(names: readonly string[]): Choice {
  const layers = new Set<number>();
  const shorts = new Set<BlockPoint>();
  const others: string[] = [];
  let cells = 0;
  for (const name of sortHooks(names)) {
    const { layer, short } = splitName(name);
    if (layer !== null && isBlockPoint(short)) {
      layers.add(layer);
      shorts.add(short);
      cells += 1;
    } else {
      others.push(short);
    }
  }
  if (cells > 0 && cells === layers.size * shorts.size) {
    const ordered = BLOCK_SHORTS.filter(short => shorts.has(short));
    return { layers: [...layers].sort((a, b) => a - b), hooks: [...ordered, ...others] };
  }
  return { layers: null, hooks: sortHooks(names) };
}
