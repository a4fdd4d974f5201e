import { describe, expect, it } from 'vitest';
import { adjusted } from '../lib/estimate';
import type { Estimate, ExtractionRequest } from '../types';

const widths = {
  hooks: [{ name: 'blocks.0.mlp.hook_post', short: 'mlp_post', layer: 0, d: 40 }],
  nLayers: 4,
  dModel: 10
};
const before: ExtractionRequest = {
  model: 'm',
  dataset: 'd',
  layers: [0],
  hooks: ['resid_post'],
  dtype: 'float16'
};
const last: Estimate = {
  n_samples: 100,
  n_tokens: 5000,
  exact: true,
  bytes: 5000 * 10 * 2 + 4 * 5000 + 16 * 100,
  seconds: 8,
  device_memory_bytes: 1,
  disk_free_bytes: 2,
  tokens_per_second: 625,
  warnings: []
};
const after = (change: Partial<ExtractionRequest>): Estimate | null =>
  adjusted(last, before, { ...before, ...change }, widths);

describe('an estimate after a change', () => {
  it('is the same without one', () => {
    expect(after({ name: 'x' })).toEqual(last);
  });

  it('counts hook points, their widths, and the bytes of a number', () => {
    const rest = 4 * 5000 + 16 * 100;
    expect(after({ layers: null })?.bytes).toBe(5000 * 40 * 2 + rest);
    expect(after({ hooks: ['resid_post', 'mlp_post'] })?.bytes).toBe(5000 * 50 * 2 + rest);
    expect(after({ dtype: 'float32' })?.bytes).toBe(5000 * 10 * 4 + rest);
    expect(after({ positions: 'last' })?.bytes).toBe(100 * 10 * 2 + rest);
  });

  it('takes a share of samples, tokens and time', () => {
    expect(after({ max_samples: 25 })).toMatchObject({
      n_samples: 25,
      n_tokens: 1250,
      seconds: 2,
      exact: false
    });
    expect(after({ max_samples: 1000 })?.n_samples).toBe(100);
  });

  it('is left to the server where only that can tell', () => {
    expect(after({ layout: 'padded' })).toBeNull();
    expect(after({ split: 'validation' })).toBeNull();
    expect(after({ context: 8 })).toBeNull();
    const few = { ...before, max_samples: 100 };
    expect(adjusted(last, few, { ...few, max_samples: 200 }, widths)).toBeNull();
  });
});
