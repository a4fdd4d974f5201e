import { beforeEach, describe, expect, it, vi } from 'vitest';

import { HostModel, mount, type Store } from './afm';

class MemoryStore implements Store {
  items = new Map<string, string>();
  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.items.set(key, value);
  }
}

describe('HostModel', () => {
  let store: MemoryStore;
  const newModel = (send: (content: unknown) => void = () => undefined): HostModel =>
    new HostModel({ panel: 'studio' }, 'key', send, store);

  beforeEach(() => {
    store = new MemoryStore();
  });

  it('tells listeners about a change once, with the new value', () => {
    const model = newModel();
    const changed = vi.fn();
    const any = vi.fn();
    model.on('change:selection', changed);
    model.on('change', any);
    model.set('selection', 3);
    model.set('selection', 3);
    expect(changed.mock.calls).toEqual([[model, 3]]);
    expect(any).toHaveBeenCalledOnce();
  });

  it('stops telling a listener that went', () => {
    const model = newModel();
    const gone = vi.fn();
    const stays = vi.fn();
    model.on('change:a', gone);
    model.on('change:a', stays);
    model.off('change:a', gone);
    model.set('a', 1);
    expect(gone).not.toHaveBeenCalled();
    expect(stays).toHaveBeenCalledOnce();
    model.off();
    model.set('a', 2);
    expect(stays).toHaveBeenCalledOnce();
  });

  it('keeps saved state across reloads, and only that', () => {
    const model = newModel();
    model.set('tab', 'models');
    model.save_changes();
    model.set('tab', 'jobs');
    expect(newModel().get('tab')).toBe('models');
  });

  it('never lets stored state replace what the host decides', () => {
    store.setItem('key', JSON.stringify({ panel: 'jobs' }));
    const model = newModel();
    model.set('panel', 'models');
    expect(model.get('panel')).toBe('studio');
  });

  it.each(['not json', '7', 'null', '"text"'])('starts afresh from %s', text => {
    store.setItem('key', text);
    const model = newModel();
    expect(model.get('tab')).toBeUndefined();
    model.set('tab', 'jobs');
    model.save_changes();
    expect(newModel().get('tab')).toBe('jobs');
  });

  it('goes on when nothing can be stored', () => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue();
    vi.spyOn(store, 'setItem').mockImplementation(() => {
      throw new DOMException('full', 'QuotaExceededError');
    });
    newModel().save_changes();
    expect(warn).toHaveBeenCalledOnce();
  });

  it('passes messages both ways', () => {
    const sent = vi.fn();
    const received = vi.fn();
    const model = newModel(sent);
    model.on('msg:custom', received);
    model.send({ type: 'open-in-kernel' });
    model.deliver({ type: 'opened-in-kernel' });
    expect(sent.mock.calls).toEqual([[{ type: 'open-in-kernel' }]]);
    expect(received.mock.calls).toEqual([[{ type: 'opened-in-kernel' }, []]]);
  });
});

describe('mount', () => {
  it('initializes before it renders, and takes down in reverse', async () => {
    const order: string[] = [];
    const el = document.createElement('div');
    const model = new HostModel({}, 'key', () => undefined, new MemoryStore());
    const unmount = await mount(
      {
        initialize: async () => {
          order.push('initialize');
          return () => void order.push('uninitialize');
        },
        render: ({ el: root, signal }) => {
          order.push('render');
          root.append('hello');
          signal.addEventListener('abort', () => order.push('abort'));
          return () => void order.push('unrender');
        }
      },
      model,
      el
    );
    expect(el.textContent).toBe('hello');
    await unmount();
    expect(el.childNodes).toHaveLength(0);
    expect(order).toEqual(['initialize', 'render', 'abort', 'unrender', 'uninitialize']);
  });
});
