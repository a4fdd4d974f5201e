/** One websocket for all panels of a page: live records, replay after a gap, reconnection. */

export type ConnectionState = 'connecting' | 'connected' | 'reconnecting';

export interface ServerEvent {
  type: string;
  seq: number;
  topic: string;
  payload: unknown;
}

export interface EventListener {
  /** A record changed. */
  event(event: ServerEvent): void;
  /** What was missed cannot be replayed: read everything again. */
  reset(): void;
  state(state: ConnectionState): void;
  /** An attempt to connect failed (a proxy may let no websocket through). */
  failed?(): void;
}

export interface StreamOptions {
  WebSocket?: typeof WebSocket;
  /** First delay before reconnecting, in ms; doubles up to `maxDelay`. */
  minDelay?: number;
  maxDelay?: number;
  /** How long the socket outlives its last listener, in ms. */
  linger?: number;
  random?: () => number;
}

export class EventStream {
  private readonly listeners = new Set<EventListener>();
  private socket: WebSocket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private closing: ReturnType<typeof setTimeout> | undefined;
  private attempts = 0;
  private since: number | null = null;
  private epoch: unknown = null;
  private current: ConnectionState = 'connecting';
  private readonly options: Required<StreamOptions>;

  /** @param url address of the websocket, without `since`. */
  constructor(
    private readonly url: string,
    options: StreamOptions = {}
  ) {
    this.options = {
      WebSocket: options.WebSocket ?? globalThis.WebSocket,
      minDelay: options.minDelay ?? 500,
      maxDelay: options.maxDelay ?? 30_000,
      linger: options.linger ?? 2_000,
      random: options.random ?? Math.random
    };
  }

  get state(): ConnectionState {
    return this.current;
  }

  /** Starts listening; returns the function that stops it. */
  subscribe(listener: EventListener): () => void {
    this.listeners.add(listener);
    clearTimeout(this.closing);
    if (this.listeners.size === 1) {
      window.addEventListener('online', this.hurry);
      document.addEventListener('visibilitychange', this.hurry);
    }
    if (this.socket === null) {
      this.connect();
    }
    return () => {
      if (this.listeners.delete(listener) && this.listeners.size === 0) {
        window.removeEventListener('online', this.hurry);
        document.removeEventListener('visibilitychange', this.hurry);
        this.closing = setTimeout(() => this.close(), this.options.linger);
      }
    };
  }

  private connect(): void {
    clearTimeout(this.timer);
    const url = new URL(this.url);
    if (this.since !== null) {
      url.searchParams.set('since', String(this.since));
    }
    let socket: WebSocket;
    try {
      socket = new this.options.WebSocket(url.href);
    } catch {
      // Refused by the browser, e.g. a content security policy.
      this.retry();
      return;
    }
    this.socket = socket;
    socket.onmessage = message => this.receive(socket, message);
    socket.onclose = () => {
      if (this.socket === socket) {
        this.socket = null;
        this.retry();
      }
    };
  }

  private receive(socket: WebSocket, message: MessageEvent): void {
    if (this.socket !== socket) {
      return;
    }
    let event: ServerEvent;
    try {
      event = JSON.parse(String(message.data)) as ServerEvent;
    } catch {
      return;
    }
    if (event.type === 'hello') {
      this.hello(event);
    } else if (event.type === 'reset') {
      if (typeof event.seq === 'number') {
        this.since = event.seq;
      }
      this.tell(listener => listener.reset());
    } else if (this.since === null || event.seq > this.since) {
      this.since = event.seq;
      this.tell(listener => listener.event(event));
    }
  }

  private hello(event: ServerEvent): void {
    const payload = (event.payload ?? {}) as { epoch?: unknown };
    const epoch = payload.epoch ?? null;
    const restarted = this.since !== null && (epoch !== this.epoch || event.seq < this.since);
    this.epoch = epoch;
    this.attempts = 0;
    if (this.since === null || restarted) {
      // Numbers of another run of the server mean nothing in this one.
      this.since = event.seq;
    }
    this.setState('connected');
    if (restarted) {
      this.tell(listener => listener.reset());
    }
  }

  private retry(): void {
    this.setState('reconnecting');
    const { minDelay, maxDelay, random } = this.options;
    const delay = Math.min(maxDelay, minDelay * 2 ** this.attempts) * (0.75 + random() / 2);
    this.attempts += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), delay);
    this.tell(listener => listener.failed?.());
  }

  /** Back online, or the tab is looked at again: do not wait for the timer. */
  private hurry = (): void => {
    if (this.socket === null && document.visibilityState !== 'hidden') {
      this.attempts = 0;
      this.connect();
    }
  };

  private close(): void {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    this.attempts = 0;
    this.current = 'connecting';
    socket?.close();
  }

  private setState(state: ConnectionState): void {
    if (this.current !== state) {
      this.current = state;
      this.tell(listener => listener.state(state));
    }
  }

  private tell(call: (listener: EventListener) => void): void {
    for (const listener of [...this.listeners]) {
      call(listener);
    }
  }
}

const STREAMS = Symbol.for('mistudio.events.v1');

/**
 * The page's stream for an address. It hangs on the window, because a page can hold two copies of
 * this module (the sidebar's and a widget's fallback) and one socket is enough.
 */
export function sharedStream(url: string): EventStream {
  const scope = globalThis as unknown as Record<symbol, Map<string, EventStream> | undefined>;
  const streams = (scope[STREAMS] ??= new Map());
  let stream = streams.get(url);
  if (!stream) {
    stream = new EventStream(url);
    streams.set(url, stream);
  }
  return stream;
}

/** Address of the websocket next to the REST routes. */
export function eventsUrl(baseUrl: string, token: string | null): string {
  const url = new URL('mistudio/api/v1/events', baseUrl);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  if (token) {
    // A browser's websocket cannot send an Authorization header.
    url.searchParams.set('token', token);
  }
  return url.href;
}
