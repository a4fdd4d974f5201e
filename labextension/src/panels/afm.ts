/** The host's model, as anywidget defines it, and a panel's view of it. */

import { signal } from '@preact/signals';
import type { ReadonlySignal } from '@preact/signals';

export interface AnyModel {
  get(key: string): unknown;
  set(key: string, value: unknown): void;
  save_changes(): void;
  on(event: string, callback: (...args: unknown[]) => void): void;
  off(event: string, callback?: (...args: unknown[]) => void): void;
  send?(content: unknown): void;
}

export interface RenderContext {
  model: AnyModel;
  el: HTMLElement;
  signal?: AbortSignal;
}

export type Selection = Readonly<Record<string, unknown>>;

/** What a panel needs of its host. */
export interface Host {
  /** What is chosen in the panel; Python and the lab extension read and set it. */
  readonly selection: ReadonlySignal<Selection>;
  select(selection: Selection): void;
  /** A key of the model that only the host sets, such as `model_id`. */
  readonly value: (key: string) => unknown;
  /** Sends a message to the host. */
  send(content: Record<string, unknown>): void;
  /** Listens to the host's messages; returns the function that stops it. */
  onMessage(callback: (content: Record<string, unknown>) => void): () => void;
  /** Shows another panel of the studio, where there is one. */
  readonly open: ((panel: string, selection?: Selection) => void) | null;
}

function asSelection(value: unknown): Selection {
  return value && typeof value === 'object' && !Array.isArray(value) ? (value as Selection) : {};
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Wraps the AFM model; everything it registers is undone when `lifetime` aborts. */
export function hostOf(model: AnyModel, lifetime: AbortSignal): Host {
  const selection = signal<Selection>(asSelection(model.get('selection')));
  const revision = signal(0);
  const changed = (): void => {
    const next = asSelection(model.get('selection'));
    if (!same(next, selection.peek())) {
      selection.value = next;
    }
  };
  const touched = (): void => {
    revision.value += 1;
  };
  listen(model, 'change:selection', changed, lifetime);
  for (const key of ['model_id', 'extraction_id', 'dataset_id']) {
    listen(model, `change:${key}`, touched, lifetime);
  }
  return {
    selection,
    select(next) {
      if (!same(next, selection.peek())) {
        selection.value = next;
        model.set('selection', next);
        model.save_changes();
      }
    },
    value(key) {
      void revision.value;
      return model.get(key);
    },
    send(content) {
      model.send?.(content);
    },
    onMessage(callback) {
      const listener = (content: unknown): void => {
        if (content && typeof content === 'object') {
          callback(content as Record<string, unknown>);
        }
      };
      model.on('msg:custom', listener);
      const stop = (): void => model.off('msg:custom', listener);
      lifetime.addEventListener('abort', stop, { once: true });
      return () => {
        lifetime.removeEventListener('abort', stop);
        stop();
      };
    },
    open: null
  };
}

function listen(
  model: AnyModel,
  event: string,
  callback: (...args: unknown[]) => void,
  lifetime: AbortSignal
): void {
  model.on(event, callback);
  lifetime.addEventListener('abort', () => model.off(event, callback), { once: true });
}

/** A panel's part of the studio's selection, under the panel's name. */
export function scopedHost(
  host: Host,
  scope: string,
  part: ReadonlySignal<Selection>,
  open: Host['open']
): Host {
  return {
    ...host,
    selection: part,
    select: next => host.select({ ...host.selection.peek(), [scope]: next }),
    // A studio shows everything: no single model or extraction is given from outside.
    value: () => null,
    open
  };
}

export { asSelection };
