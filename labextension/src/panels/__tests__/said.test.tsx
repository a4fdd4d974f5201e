/** What the server says of a thing is shown, and nothing in its place. */

import { cleanup, fireEvent, render, screen } from '@testing-library/preact';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { architectureFacts, totals } from '../architecture/facts';
import { FileForm } from '../datasets/FileForm';
import { readAs } from '../datasets/readAs';
import { besides } from '../datasets/SampleRow';
import type { Detection } from '../datasets/types';
import { useDetected } from '../datasets/useDetected';
import { FormatsTable } from '../models/FormatsTable';
import { firstFormat, publishedAs } from '../models/hub';
import type { FormatEstimate, HubModel } from '../models/hub';
import type { Architecture } from '../types';
import { noticesOf } from '../ui/hooks';

afterEach(cleanup);

function row(format: string, facts: Partial<FormatEstimate> = {}): FormatEstimate {
  return {
    format,
    download_bytes: 1e6,
    memory_bytes: { cpu: 1e6 },
    fits: { cpu: true },
    recommended: false,
    computes_in: { cpu: 'float32', gpu: 'bfloat16' },
    unavailable: null,
    ...facts
  };
}

describe('formats', () => {
  const q4 = row('q4', { unavailable: 'bitsandbytes is not installed' });

  it('that cannot be had cannot be chosen, and say why; the others say what they compute in', () => {
    const choose = vi.fn();
    const device = { id: 'cpu', name: 'CPU', kind: 'cpu' };
    render(<FormatsTable rows={[row('q8'), q4]} device={device} value="q8" onChange={choose} />);
    screen.getByText('computes in float32');
    screen.getByText('Not available: bitsandbytes is not installed.');
    expect(screen.getByLabelText<HTMLInputElement>('q4').disabled).toBe(true);
    fireEvent.click(screen.getByText('Not available: bitsandbytes is not installed.'));
    expect(choose).not.toHaveBeenCalled();
  });

  it('begin with one that can be had', () => {
    const model = { formats: [row('fp32'), q4], recommendation: null } as unknown as HubModel;
    expect(firstFormat(model)).toBe('fp32');
  });

  it('of a quantized checkpoint are what its publisher made', () => {
    expect(publishedAs({})).toBeNull();
    expect(publishedAs({ quantization_config: { quant_method: 'gptq', bits: 4 } })).toBe(
      'gptq, 4 bits'
    );
    const inner = { quantization_config: { quant_method: 'fp8' } };
    expect(publishedAs({ text_config: inner })).toBe('fp8');
  });
});

describe('facts of a model', () => {
  const known = {
    class_name: 'X',
    kind: 'decoder',
    n_layers: 0,
    d_model: 0,
    hooks: [],
    unavailable: [],
    unknown: [{ fact: 'head_dim', reason: 'AttributeError: layers differ' }]
  } as unknown as Architecture;

  it('that could not be found are named with the reason', () => {
    expect(architectureFacts(known)).toContainEqual([
      'Width of a head',
      'could not be found: AttributeError: layers differ',
      true
    ]);
    const unknown = [{ fact: 'n_layers', reason: 'KeyError' }];
    expect(totals({ ...known, unknown })[1]).toEqual(['Layers', '–']);
  });

  it('tell how long an input may be', () => {
    const limit = (positions?: number | null): unknown =>
      architectureFacts({ ...known, positions }).find(([label]) => label === 'Longest input')?.[1];
    expect([limit(512), limit(null), limit()]).toEqual(['512', 'no limit', undefined]);
  });
});

describe('how a file is read', () => {
  it('is said in words', () => {
    expect(readAs(null)).toBeNull();
    const options = { format: 'csv', delimiter: '\t', encoding: 'cp1252', header: true };
    expect(readAs(options)).toBe('csv · delimiter tab · cp1252 · first row names the columns');
    expect(readAs({ format: 'csv', types: { zip: 'text' }, bad_rows: 'skip' })).toBe(
      'csv · zip as text · broken rows left out'
    );
  });

  it('can be corrected: quotation marks and types, which another way of reading forgets', async () => {
    const detection: Detection = {
      format: 'csv',
      compression: null,
      bytes: 10,
      columns: [{ name: 'zip', kind: 'number' }],
      text_column: null,
      preview: [],
      problems: [],
      notes: ['The delimiter of a.csv is unclear.'],
      options: { format: 'csv', delimiter: ',', header: true, encoding: 'utf-8' }
    };
    const look = vi.fn((given: object) =>
      Promise.resolve({ ...detection, options: { ...detection.options, ...given } })
    );
    function Form() {
      const file = useDetected(detection, look);
      return file && <FileForm file={file} />;
    }
    render(<Form />);
    screen.getByText('The delimiter of a.csv is unclear.');
    fireEvent.click(screen.getByRole('button', { name: 'Column types' }));
    fireEvent.change(screen.getByLabelText('zip'), { target: { value: 'text' } });
    await vi.waitFor(() => expect(look.mock.lastCall?.[0]).toEqual({ types: { zip: 'text' } }));
    fireEvent.change(screen.getByLabelText('Quotation marks'), { target: { value: 'none' } });
    await vi.waitFor(() => expect(look.mock.lastCall?.[0]).toEqual({ quoting: 'none' }));
  });
});

it('a turn says what it has beside its words', () => {
  const turn = { role: 'assistant', content: '' };
  expect(besides(turn)).toEqual([]);
  expect(besides({ ...turn, reasoning_content: 'So', tool_calls: [{}] })).toEqual([
    'reasoning',
    'tool call'
  ]);
  const parts = [{ type: 'text' }, { type: 'image' }, { type: 'image' }, 'words', null];
  expect(besides({ role: 'tool', content: '', name: 'weather', parts })).toEqual([
    'weather',
    'image'
  ]);
});

it('a second name is said', () => {
  const notices = [{ code: 'x', message: 'It is there as ‘a’.', hint: 'Use ‘a’.' }];
  expect(noticesOf({ notices })).toBe('It is there as ‘a’. Use ‘a’.');
  expect(noticesOf({})).toBe('');
});
