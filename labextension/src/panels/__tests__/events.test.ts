import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventStream, eventsUrl, sharedStream } from '../events';
import type { EventListener, ServerEvent } from '../events';

/** A websocket whose other end is the test. */
class Socket {
  static all: Socket[] = [];
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  closed = false;

  constructor(readonly url: string) {
    Socket.all.push(this);
  }

  close(): void {
    this.closed = true;
    this.onclose?.();
  }

  say(type: string, seq: number, payload: unknown = {}): void {
    this.onmessage?.({ data: JSON.stringify({ type, seq, topic: 't', payload }) });
  }

  get since(): string | null {
    return new URL(this.url).searchParams.get('since');
  }
}

function last(): Socket {
  const socket = Socket.all[Socket.all.length - 1];
  if (!socket) {
    throw new Error('no socket was opened');
  }
  return socket;
}

function listener(): EventListener & { seen: string[]; events: ServerEvent[] } {
  const seen: string[] = [];
  const events: ServerEvent[] = [];
  return {
    seen,
    events,
    event: event => events.push(event),
    reset: () => seen.push('reset'),
    state: state => seen.push(state),
    failed: () => seen.push('failed')
  };
}

function stream(): EventStream {
  return new EventStream('ws://localhost/events', {
    WebSocket: Socket as unknown as typeof WebSocket,
    minDelay: 100,
    maxDelay: 1000,
    linger: 50,
    random: () => 0.5
  });
}

beforeEach(() => {
  vi.useFakeTimers();
  Socket.all = [];
});

afterEach(() => {
  vi.useRealTimers();
});

describe('event stream', () => {
  it('opens one socket for all listeners and tells each of them', () => {
    const events = stream();
    const [a, b] = [listener(), listener()];
    events.subscribe(a);
    events.subscribe(b);
    expect(Socket.all).toHaveLength(1);
    last().say('hello', 10, { epoch: 'e' });
    last().say('job', 11, { id: 'job_1' });
    expect(a.events).toEqual(b.events);
    expect(a.events[0]?.payload).toEqual({ id: 'job_1' });
    expect(a.seen).toEqual(['connected']);
  });

  it('reconnects with growing delays and asks for what it missed', () => {
    const events = stream();
    const a = listener();
    events.subscribe(a);
    expect(last().since).toBeNull();
    last().say('hello', 10, { epoch: 'e' });
    last().say('job', 12);
    last().close();
    expect(a.seen).toEqual(['connected', 'reconnecting', 'failed']);
    vi.advanceTimersByTime(99);
    expect(Socket.all).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(Socket.all).toHaveLength(2);
    expect(last().since).toBe('12');
    last().close();
    vi.advanceTimersByTime(199);
    expect(Socket.all).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(Socket.all).toHaveLength(3);
    for (let i = 0; i < 10; i += 1) {
      last().close();
      vi.advanceTimersByTime(1000);
    }
    expect(Socket.all).toHaveLength(13);
  });

  it('takes a replayed message once', () => {
    const events = stream();
    const a = listener();
    events.subscribe(a);
    last().say('hello', 10, { epoch: 'e' });
    last().say('job', 11);
    last().close();
    vi.advanceTimersByTime(100);
    last().say('hello', 13, { epoch: 'e' });
    last().say('job', 11);
    last().say('job', 12);
    last().say('job', 13);
    expect(a.events.map(event => event.seq)).toEqual([11, 12, 13]);
    expect(a.seen).not.toContain('reset');
  });

  it('resets when the server says so or is another one', () => {
    const events = stream();
    const a = listener();
    events.subscribe(a);
    last().say('hello', 10, { epoch: 'e' });
    last().say('reset', 50);
    expect(a.seen).toEqual(['connected', 'reset']);
    last().close();
    vi.advanceTimersByTime(100);
    expect(last().since).toBe('50');
    last().say('hello', 3, { epoch: 'f' });
    expect(a.seen.slice(-2)).toEqual(['connected', 'reset']);
    last().say('job', 4);
    expect(a.events.map(event => event.seq)).toEqual([4]);
  });

  it('reconnects at once when the browser is online again', () => {
    const events = stream();
    events.subscribe(listener());
    for (let i = 0; i < 5; i += 1) {
      last().close();
      vi.advanceTimersByTime(1000);
    }
    const before = Socket.all.length;
    last().close();
    window.dispatchEvent(new Event('online'));
    expect(Socket.all).toHaveLength(before + 1);
  });

  it('closes a while after the last listener left, and not if one comes back', () => {
    const events = stream();
    const stop = events.subscribe(listener());
    last().say('hello', 1, { epoch: 'e' });
    stop();
    const again = events.subscribe(listener());
    vi.advanceTimersByTime(1000);
    expect(last().closed).toBe(false);
    again();
    vi.advanceTimersByTime(50);
    expect(last().closed).toBe(true);
    vi.advanceTimersByTime(10_000);
    expect(Socket.all).toHaveLength(1);
  });

  it('ignores what is no JSON', () => {
    const events = stream();
    const a = listener();
    events.subscribe(a);
    last().onmessage?.({ data: 'nonsense' });
    expect(a.events).toEqual([]);
  });
});

describe('address', () => {
  it('follows the base URL and carries the token', () => {
    expect(eventsUrl('https://hub.example/user/ada/', 'a b')).toBe(
      'wss://hub.example/user/ada/mistudio/api/v1/events?token=a+b'
    );
  });

  it('is shared by all copies of the bundle in a page', () => {
    expect(sharedStream('ws://localhost/x')).toBe(sharedStream('ws://localhost/x'));
    expect(sharedStream('ws://localhost/x')).not.toBe(sharedStream('ws://localhost/y'));
  });
});
