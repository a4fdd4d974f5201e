/**
 * A host for anywidget front-end modules (AFM) outside a notebook cell.
 *
 * The panels are written once as AFM modules. In a cell anywidget hosts them;
 * here `HostModel` stands in for the widget's model, with its state in the
 * browser's storage instead of a kernel.
 */

/** A callback of `model.on`. */
export type Callback = (...args: any[]) => void;

/** What an AFM module may ask of its model. */
export interface IAfmModel {
  get(key: string): unknown;
  set(key: string, value: unknown): void;
  save_changes(): void;
  on(event: string, callback: Callback): void;
  off(event?: string | null, callback?: Callback | null): void;
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
}

type Cleanup = () => void | Promise<void>;
type Hook<T> = (props: T) => void | Cleanup | Promise<void | Cleanup>;

/** The default export of an AFM bundle. */
export interface IAfmModule {
  initialize?: Hook<{ model: IAfmModel; signal: AbortSignal }>;
  render?: Hook<{ model: IAfmModel; el: HTMLElement; signal: AbortSignal }>;
}

/** The part of the Web Storage interface that the model needs. */
export type Store = Pick<Storage, 'getItem' | 'setItem'>;

/** State, events and messages of one hosted panel. */
export class HostModel implements IAfmModel {
  /**
   * @param fixed - State that the host decides; never stored.
   * @param key - Key under which the rest of the state is stored.
   * @param onMessage - Receives what the panel sends with `send`.
   * @param store - Where the state lives across reloads.
   */
  constructor(
    private readonly fixed: Readonly<Record<string, unknown>>,
    private readonly key: string,
    private readonly onMessage: (content: unknown) => void,
    private readonly store: Store = window.localStorage
  ) {
    this.state = this.restore();
  }

  get(key: string): unknown {
    return key in this.fixed ? this.fixed[key] : this.state[key];
  }

  set(key: string, value: unknown): void {
    if (key in this.fixed || Object.is(this.state[key], value)) {
      return;
    }
    this.state[key] = value;
    this.emit(`change:${key}`, this, value);
    this.emit('change', this);
  }

  save_changes(): void {
    try {
      this.store.setItem(this.key, JSON.stringify(this.state));
    } catch (error) {
      console.warn('miStudio: the panel state could not be stored.', error);
    }
  }

  on(event: string, callback: Callback): void {
    const callbacks = this.callbacks.get(event) ?? new Set();
    this.callbacks.set(event, callbacks.add(callback));
  }

  off(event?: string | null, callback?: Callback | null): void {
    for (const [name, callbacks] of this.callbacks) {
      if (event && event !== name) {
        continue;
      }
      if (callback) {
        callbacks.delete(callback);
      } else {
        callbacks.clear();
      }
    }
  }

  send(content: unknown): void {
    this.onMessage(content);
  }

  /** Hand a message to the panel, as a kernel would. */
  deliver(content: unknown): void {
    this.emit('msg:custom', content, []);
  }

  private emit(event: string, ...args: unknown[]): void {
    for (const callback of [...(this.callbacks.get(event) ?? [])]) {
      callback(...args);
    }
  }

  private restore(): Record<string, unknown> {
    try {
      const state: unknown = JSON.parse(this.store.getItem(this.key) ?? '{}');
      return state !== null && typeof state === 'object' ? { ...state } : {};
    } catch {
      return {};
    }
  }

  private readonly state: Record<string, unknown>;
  private readonly callbacks = new Map<string, Set<Callback>>();
}

/**
 * Run an AFM module's `initialize` and `render` in an element.
 *
 * @returns A function that takes everything down again.
 */
export async function mount(
  module: IAfmModule,
  model: HostModel,
  el: HTMLElement
): Promise<() => Promise<void>> {
  const controller = new AbortController();
  const { signal } = controller;
  const cleanups = [
    await module.initialize?.({ model, signal }),
    await module.render?.({ model, el, signal })
  ];
  return async () => {
    controller.abort();
    for (const cleanup of cleanups.reverse()) {
      await cleanup?.();
    }
    model.off();
    el.replaceChildren();
  };
}
