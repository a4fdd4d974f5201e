/** Records of one kind as signals, from lists and from events. */

import { batch, computed, signal } from '@preact/signals';
import { toApiError } from './api';
import type { ApiError } from './api';

export interface Row {
  id: string;
  created_at: string;
}

/** Records of one kind, by id. */
export class Table<T extends Row> {
  readonly records = signal<ReadonlyMap<string, T>>(new Map());
  readonly loaded = signal(false);
  readonly error = signal<ApiError | null>(null);
  /** Newest first. */
  readonly list = computed(() =>
    [...this.records.value.values()].sort(
      (a, b) => b.created_at.localeCompare(a.created_at) || b.id.localeCompare(a.id)
    )
  );
  private clock = 0;
  private readonly touched = new Map<string, number>();

  get(id: string | null | undefined): T | undefined {
    return id ? this.records.value.get(id) : undefined;
  }

  upsert(record: T): void {
    this.touched.set(record.id, ++this.clock);
    const next = new Map(this.records.peek());
    next.set(record.id, record);
    this.records.value = next;
  }

  /** The time, for `absorb`. */
  get now(): number {
    return this.clock;
  }

  /** Takes a record from an answer, unless an event told something newer since it was asked for. */
  absorb(record: T | null | undefined, asked: number): void {
    if (record && (this.touched.get(record.id) ?? 0) <= asked) {
      this.upsert(record);
    }
  }

  remove(id: string): void {
    this.touched.set(id, ++this.clock);
    if (this.records.peek().has(id)) {
      const next = new Map(this.records.peek());
      next.delete(id);
      this.records.value = next;
    }
  }

  /** A list that arrives late must not undo events that came while it was on its way. */
  async load(fetchList: () => Promise<T[]>): Promise<void> {
    const start = this.clock;
    try {
      const list = await fetchList();
      const next = new Map(list.map(record => [record.id, record]));
      for (const [id, at] of this.touched) {
        if (at > start) {
          const newer = this.records.peek().get(id);
          if (newer) {
            next.set(id, newer);
          } else {
            next.delete(id);
          }
        }
      }
      batch(() => {
        this.records.value = next;
        this.loaded.value = true;
        this.error.value = null;
      });
    } catch (error) {
      this.error.value = toApiError(error);
    }
  }
}
