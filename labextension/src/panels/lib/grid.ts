/** Choosing hook points by layer, by point, or one by one: pure functions over sets of names. */

import type { Architecture } from '../types';
import { BLOCK_SHORTS, blockPoint, GLOBAL_POINTS, GLOBAL_SHORTS, sortHooks, splitName } from './hooks';
import type { BlockPoint, GlobalPoint } from './hooks';

/** What a model offers. */
export interface Offer {
  nLayers: number;
  names: ReadonlySet<string>;
  /** Points of a block that at least one layer has. */
  points: BlockPoint[];
  globals: GlobalPoint[];
  reasons: ReadonlyMap<string, string>;
}

export function offerOf(architecture: Architecture): Offer {
  const names = new Set(architecture.hooks.map(hook => hook.name));
  const shorts = new Set(architecture.hooks.map(hook => splitName(hook.name).short));
  return {
    nLayers: architecture.n_layers,
    names,
    points: BLOCK_SHORTS.filter(short => shorts.has(short)),
    globals: GLOBAL_SHORTS.filter(short => shorts.has(short)),
    reasons: new Map(architecture.unavailable.map(each => [each.short, each.reason]))
  };
}

/** What is chosen, as layers and points; and what they were before the last was taken away. */
export interface Axes {
  layers: number[];
  points: BlockPoint[];
}

export function axesOf(chosen: ReadonlySet<string>): Axes {
  const layers = new Set<number>();
  const points = new Set<string>();
  for (const name of chosen) {
    const { layer, short } = splitName(name);
    if (layer !== null) {
      layers.add(layer);
      points.add(short);
    }
  }
  return {
    layers: [...layers].sort((a, b) => a - b),
    points: BLOCK_SHORTS.filter(short => points.has(short))
  };
}

/** Whether all, some or none of the chosen layers have a point. */
export function pressed(chosen: ReadonlySet<string>, point: BlockPoint, offer: Offer): boolean | 'mixed' {
  const { layers } = axesOf(chosen);
  const offered = layers.filter(layer => offer.names.has(blockPoint(layer, point)));
  const having = offered.filter(layer => chosen.has(blockPoint(layer, point)));
  return having.length === 0 ? false : having.length === offered.length ? true : 'mixed';
}

const build = (names: Iterable<string>, offer: Offer): string[] =>
  sortHooks([...names].filter(name => offer.names.has(name) || name.startsWith('module:')));

/** Adds a point to all chosen layers, or takes it from them. `memory` helps when none is left. */
export function togglePoint(
  chosen: ReadonlySet<string>,
  point: BlockPoint,
  offer: Offer,
  memory: Axes
): string[] {
  const next = new Set(chosen);
  const { layers } = axesOf(chosen);
  const remembered = layers.length > 0 ? layers : memory.layers;
  const all = Array.from({ length: offer.nLayers }, (_, i) => i);
  const targets = remembered.length > 0 ? remembered : all;
  const add = pressed(chosen, point, offer) !== true;
  for (const layer of targets) {
    if (add) {
      next.add(blockPoint(layer, point));
    } else {
      next.delete(blockPoint(layer, point));
    }
  }
  return build(next, offer);
}

/** Puts the chosen points on exactly these layers. */
export function setLayers(
  chosen: ReadonlySet<string>,
  layers: readonly number[],
  offer: Offer,
  memory: Axes
): string[] {
  const { points } = axesOf(chosen);
  const kept = [...chosen].filter(name => splitName(name).layer === null);
  const wanted = points.length > 0 ? points : memory.points.length > 0 ? memory.points : DEFAULT;
  const cells = layers.flatMap(layer => wanted.map(point => blockPoint(layer, point)));
  return build([...kept, ...cells], offer);
}

/** Adds a layer with all chosen points, or takes the layer away. */
export function toggleLayer(
  chosen: ReadonlySet<string>,
  layer: number,
  offer: Offer,
  memory: Axes
): string[] {
  const { points } = axesOf(chosen);
  const wanted = points.length > 0 ? points : memory.points.length > 0 ? memory.points : DEFAULT;
  const cells = wanted
    .map(point => blockPoint(layer, point))
    .filter(name => offer.names.has(name));
  const next = new Set(chosen);
  if (cells.every(name => chosen.has(name))) {
    for (const name of chosen) {
      if (splitName(name).layer === layer) {
        next.delete(name);
      }
    }
  } else {
    cells.forEach(name => next.add(name));
  }
  return build(next, offer);
}

export function toggleName(chosen: ReadonlySet<string>, name: string, offer: Offer): string[] {
  const next = new Set(chosen);
  if (!next.delete(name)) {
    next.add(name);
  }
  return build(next, offer);
}

export function globalName(point: GlobalPoint): string {
  return GLOBAL_POINTS[point];
}

const DEFAULT: BlockPoint[] = ['resid_post'];
