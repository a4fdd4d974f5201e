/** What is being read of a dataset, as the panel's selection keeps it across a reload. */

import type { Selection } from '../afm';
import { NO_FILTERS } from './SampleFilters';
import type { Filters } from './SampleFilters';

export interface Reading {
  split: string;
  /** Words that are looked for. */
  q: string;
  filters: Filters;
  /** The first row on the screen, counted in what the search and the filters leave. */
  at: number;
  /** A row of the split to go to and to mark, e.g. the document of a token. */
  row: number | null;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

const number = (value: unknown): number | null =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : null;

/**
 * @param splits names of the dataset's splits
 */
export function readingOf(selection: Selection, splits: readonly string[]): Reading {
  const wanted = text(selection['split']);
  const split = splits.includes(wanted) ? wanted : (splits[0] ?? '');
  const row = number(selection['row']);
  if (row !== null) {
    // Whoever names a row means that of the split, not of what a search left of it.
    return { split, q: '', filters: NO_FILTERS, at: row, row };
  }
  const filters = (selection['filters'] ?? {}) as Partial<Filters>;
  return {
    split,
    q: text(selection['q']),
    filters: {
      tokenization: text(filters.tokenization),
      min: number(filters.min),
      max: number(filters.max),
      tokens: text(filters.tokens),
      column: text(filters.column),
      where: text(filters.where),
      value: text(filters.value)
    },
    at: number(selection['at']) ?? 0,
    row
  };
}

/** The selection with a part of the reading changed; what stands at its default is left out. */
export function withReading(selection: Selection, part: Partial<Reading>): Selection {
  const { q: _q, filters: _filters, at: _at, row: _row, ...rest } = selection;
  const known = [text(selection['split']), part.split ?? ''];
  const before = readingOf(selection, known);
  const { q, filters, at, row } = readingOf({ ...before, ...part }, known);
  return {
    ...rest,
    ...(part.split === undefined ? {} : { split: part.split }),
    ...(q === '' ? {} : { q }),
    ...(JSON.stringify(filters) === JSON.stringify(NO_FILTERS) ? {} : { filters }),
    ...(row !== null ? { row } : at > 0 ? { at } : {})
  };
}
