import { afterEach, describe, expect, it, vi } from 'vitest';
import { readChoice } from '../activations/choice';
import { layOut, nearest, neighbour } from '../activations/plane';
import { colour, scaleOf, STRONGEST } from '../activations/scale';
import { Api } from '../api';

describe('a scale', () => {
  it('is symmetric around zero for a dimension', () => {
    const scale = scaleOf([-1, 4, null, 0], true);
    expect([scale.least, scale.most]).toEqual([-4, 4]);
    expect([-4, -1, 0, 4, null].map(scale.share)).toEqual([-100, -25, 0, 100, null]);
  });

  it('begins at the least norm', () => {
    const scale = scaleOf([10, 20, 15], false);
    expect([10, 15, 20].map(scale.share)).toEqual([0, 50, 100]);
  });

  it('of equal or missing values has no colours', () => {
    expect(scaleOf([3, 3], false).share(3)).toBe(0);
    expect(scaleOf([null], true).share(null)).toBeNull();
    expect(colour(0)).toBeUndefined();
    expect(colour(null)).toBeUndefined();
  });

  it('leaves the text its contrast', () => {
    expect(colour(100)).toContain(`var(--jp-brand-color1) ${STRONGEST}%`);
    expect(colour(-100)).toContain(`var(--jp-warn-color1) ${STRONGEST}%`);
  });
});

describe('a choice', () => {
  const hooks = ['blocks.0.hook_resid_post', 'blocks.1.hook_resid_post'];

  it('starts with the first hook, its norm, and the first sample', () => {
    const first = { hook: hooks[0], dimension: null, sample: 0, token: null };
    expect(readChoice({}, hooks)).toEqual(first);
    const nonsense = { hook: 'elsewhere', dimension: -1, sample: 'x', token: 0.5 };
    expect(readChoice(nonsense, hooks)).toEqual(first);
  });

  it('is what Python says', () => {
    const said = { hook: hooks[1], dimension: 7, sample: 3, token: 2 };
    expect(readChoice({ ...said, extraction: 'ext_1' }, hooks)).toEqual(said);
  });
});

describe('a plane', () => {
  const canvas = { clientWidth: 228, clientHeight: 128 };
  const plane = layOut(canvas, { x: [0, 1, 2, 1], y: [0, 0, 0, 5] });

  it('has its first component to the right and its second upwards', () => {
    const [x0, x1, x2] = plane.x;
    expect(x0! < x1! && x1! < x2!).toBe(true);
    expect(plane.y[3]! < plane.y[0]!).toBe(true);
  });

  it('keeps far points on the border', () => {
    const x = Array.from({ length: 400 }, (_, i) => i % 20);
    x[0] = 1e9;
    const far = layOut(canvas, { x, y: x });
    expect(far.x[0]).toBe(214);
    expect(Math.max(...far.x.slice(1)) - Math.min(...far.x)).toBeGreaterThan(150);
  });

  it('finds the point that is meant', () => {
    expect(nearest(plane, plane.x[2]! + 3, plane.y[2]! - 3)).toBe(2);
    expect(nearest(plane, plane.x[2]!, plane.y[2]! - 60)).toBeNull();
  });

  it('moves by arrow keys', () => {
    expect(neighbour(plane, null, [1, 0])).toBe(0);
    expect(neighbour(plane, 0, [1, 0])).toBe(1);
    expect(neighbour(plane, 1, [0, -1])).toBe(3);
    expect(neighbour(plane, 2, [1, 0])).toBe(2);
  });
});

describe('lines of JSON', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('are told as they arrive, wherever they are cut', async () => {
    const bytes = new TextEncoder().encode('{"top":["é"]}\n{"top":["b"]}\n');
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const [from, to] of [
          [0, 9],
          [9, 20],
          [20, bytes.length]
        ]) {
          controller.enqueue(bytes.slice(from, to));
        }
        controller.close();
      }
    });
    vi.stubGlobal(
      'fetch',
      vi.fn(async () => new Response(body))
    );
    const seen: unknown[] = [];
    const api = new Api({ baseUrl: 'http://localhost:8888/', token: null });
    await api.lines('extractions/e/top', {}, line => seen.push(line));
    expect(seen).toEqual([{ top: ['é'] }, { top: ['b'] }]);
  });

  it('say what is wrong as any other answer', async () => {
    const error = { message: 'No such dimension.', code: 'no_such_dimension', field: 'dimension' };
    vi.stubGlobal(
      'fetch',
      vi.fn(async () => new Response(JSON.stringify(error), { status: 404 }))
    );
    const api = new Api({ baseUrl: 'http://localhost:8888/', token: null });
    await expect(api.lines('extractions/e/top', {}, () => {})).rejects.toMatchObject({
      field: 'dimension'
    });
  });
});
