/** Which datasets a list shows, and in which order. */

import type { Dataset } from '../types';

export type Order = 'newest' | 'name' | 'rows' | 'bytes';

export interface ListFilter {
  text: string;
  source: string;
  order: Order;
}

export const SHOW_ALL: ListFilter = { text: '', source: '', order: 'newest' };

const COMPARE: Record<Order, (a: Dataset, b: Dataset) => number> = {
  newest: (a, b) => b.created_at.localeCompare(a.created_at),
  name: (a, b) => a.name.localeCompare(b.name),
  rows: (a, b) => (b.n_rows ?? -1) - (a.n_rows ?? -1),
  bytes: (a, b) => (b.n_bytes ?? -1) - (a.n_bytes ?? -1)
};

export function shown(datasets: readonly Dataset[], filter: ListFilter): Dataset[] {
  const text = filter.text.trim().toLowerCase();
  return datasets
    .filter(each => filter.source === '' || each.source === filter.source)
    .filter(each => `${each.name} ${each.repo_id ?? ''}`.toLowerCase().includes(text))
    .sort(COMPARE[filter.order]);
}
