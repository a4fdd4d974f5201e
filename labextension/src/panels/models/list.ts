/** Which models the list shows, in which order. */

import type { Model } from '../types';

export type Sort = 'newest' | 'name' | 'params' | 'size';

/** An empty word means "any". */
export interface Filter {
  text: string;
  family: string;
  format: string;
  state: string;
  size: string;
  sort: Sort;
}

export const NO_FILTER: Filter = {
  text: '',
  family: '',
  format: '',
  state: '',
  size: '',
  sort: 'newest'
};

/** Parameters from and below which a model belongs to a class of sizes. */
export const SIZES: Record<string, [from: number, below: number]> = {
  small: [0, 1e9],
  medium: [1e9, 1e10],
  large: [1e10, Infinity]
};

function matches(model: Model, filter: Filter): boolean {
  const needle = filter.text.trim().toLowerCase();
  const named = [model.name, model.repo_id, model.family].some(text =>
    text?.toLowerCase().includes(needle)
  );
  const size = SIZES[filter.size];
  const params = model.n_params;
  return (
    (needle === '' || named) &&
    (filter.family === '' || model.family === filter.family) &&
    (filter.format === '' || model.format === filter.format) &&
    (filter.state === '' || model.state === filter.state) &&
    (size === undefined || (params !== null && params >= size[0] && params < size[1]))
  );
}

const ORDERS: Record<Sort, (a: Model, b: Model) => number> = {
  newest: () => 0,
  name: (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }),
  params: (a, b) => (b.n_params ?? -1) - (a.n_params ?? -1),
  size: (a, b) => (b.size_bytes ?? -1) - (a.size_bytes ?? -1)
};

/**
 * The models without those that fell back on a format that is there already: the same weights
 * in the same format are one entry, as in the server's list.
 */
export function distinct(models: readonly Model[]): Model[] {
  const key = (model: Model): string => `${model.parent_id ?? model.id} ${model.format}`;
  const ready = models.filter(model => model.state === 'ready');
  const shown = new Map<string, string>();
  for (const fallen of [false, true]) {
    // The oldest first: the list comes newest first.
    for (const model of ready.filter(each => !!each.requested_format === fallen).reverse()) {
      shown.set(key(model), shown.get(key(model)) ?? model.id);
    }
  }
  return models.filter(
    model =>
      model.state !== 'ready' || !model.requested_format || shown.get(key(model)) === model.id
  );
}

/** The models that a filter lets through, sorted; `models` come newest first. */
export function shown(models: readonly Model[], filter: Filter): Model[] {
  return models.filter(model => matches(model, filter)).sort(ORDERS[filter.sort]);
}

/** The values that occur, for the choices of a filter. */
export function occurring(models: readonly Model[], key: 'family' | 'format' | 'state'): string[] {
  const values = models.map(model => model[key]).filter(value => value !== null);
  return [...new Set<string>(values)].sort();
}

/** Whether anything is filtered away; the order filters nothing. */
export function isFiltered(filter: Filter): boolean {
  return Object.entries(filter).some(([key, value]) => key !== 'sort' && value !== '');
}
