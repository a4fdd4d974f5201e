/** Rows of a list that is read in pages: those wanted are fetched, a page ahead; far ones are dropped. */

import { isAbort, toApiError } from '../api';
import type { ApiError } from '../api';

export interface Page<T> {
  total: number;
  /** There may be more than `total`: they are still being counted. */
  atLeast?: boolean;
  rows: readonly T[];
}

export const PAGE = 50;
const KEPT = 20;
/** Requests at a time: while a scroll bar is dragged only what is wanted last is worth asking for. */
const AT_ONCE = 2;

export class Pages<T, P extends Page<T> = Page<T>> {
  /** The answer that came last. */
  latest: P | null = null;
  /** Rows that there are; null until the first answer. */
  total: number | null = null;
  /** Whether all of them are counted. */
  counted = false;
  error: ApiError | null = null;
  private readonly pages = new Map<number, P>();
  private readonly running = new Set<number>();
  private readonly failed = new Set<number>();
  private wanted: number[] = [];
  private readonly end = new AbortController();

  constructor(
    private readonly read: (offset: number, signal: AbortSignal) => Promise<P>,
    private readonly changed: () => void
  ) {}

  get(index: number): T | undefined {
    return this.pages.get(Math.floor(index / PAGE))?.rows[index % PAGE];
  }

  /** Pages of these rows are fetched first, then those beside them. */
  want(first: number, last: number): void {
    const from = Math.floor(Math.max(0, first) / PAGE);
    const to = Math.floor(Math.max(0, last) / PAGE);
    const between = Array.from({ length: to - from + 1 }, (_, i) => from + i);
    const most = this.total === null ? to + 1 : Math.ceil(this.total / PAGE);
    this.wanted = [...between, to + 1, from - 1].filter(page => page >= 0 && page < most);
    this.drop();
    this.pump();
  }

  /** All rows are counted. */
  count(total: number): void {
    this.total = total;
    this.counted = true;
    this.changed();
  }

  /** Asks again for what could not be read. */
  retry(): void {
    this.failed.clear();
    this.error = null;
    this.pump();
    this.changed();
  }

  dispose(): void {
    this.end.abort();
  }

  private pump(): void {
    for (const page of this.wanted) {
      if (this.running.size >= AT_ONCE || this.end.signal.aborted) {
        return;
      }
      if (!this.pages.has(page) && !this.running.has(page) && !this.failed.has(page)) {
        void this.load(page);
      }
    }
  }

  private async load(page: number): Promise<void> {
    this.running.add(page);
    try {
      const found = await this.read(page * PAGE, this.end.signal);
      this.latest = found;
      if (!this.counted) {
        this.total = Math.max(found.total, found.atLeast ? (this.total ?? 0) : 0);
        this.counted = !found.atLeast;
      }
      this.pages.set(page, found);
    } catch (error) {
      if (isAbort(error)) {
        return;
      }
      this.failed.add(page);
      this.error = toApiError(error);
    } finally {
      this.running.delete(page);
    }
    if (!this.end.signal.aborted) {
      this.pump();
      this.changed();
    }
  }

  private drop(): void {
    const middle = this.wanted[0] ?? 0;
    const farFirst = [...this.pages.keys()].sort(
      (a, b) => Math.abs(b - middle) - Math.abs(a - middle)
    );
    farFirst.slice(0, Math.max(0, farFirst.length - KEPT)).forEach(page => this.pages.delete(page));
  }
}
