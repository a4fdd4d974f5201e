import { nullTranslator } from '@jupyterlab/translation';
import { expect, test } from 'vitest';
import { statusText } from './machine';

const trans = nullTranslator.load('mistudio');
const cpu = { kind: 'cpu', memory_used: 3.14e9, memory_total: 16e9 };

test('without a GPU the machine’s memory is shown', () => {
  expect(statusText([], [cpu], trans)).toBe('RAM 3.1 / 16 GB');
});

test('GPUs count together, jobs by state', () => {
  const gpu = { kind: 'gpu', memory_used: 61e9, memory_total: 80e9 };
  const jobs = ['running', 'queued', 'done', 'running'].map((state, n) => ({ id: `${n}`, state }));
  expect(statusText(jobs, [cpu, gpu, gpu], trans)).toBe('2 jobs · 1 waiting · GPU 122 / 160 GB');
});

test('what is not known is not shown', () => {
  expect(statusText([], [], trans)).toBe('');
  expect(statusText([{ id: 'a', state: 'running' }], [{ kind: 'gpu' }], trans)).toBe('1 job');
});
