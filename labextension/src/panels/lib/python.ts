/** The same choice as a call that runs in a notebook. */

import type { ExtractionRequest } from '../types';
import { formatLayers } from './layers';

/** A string literal; JSON's escapes are all valid in Python. */
export function quote(text: string): string {
  return JSON.stringify(text);
}

function literal(value: unknown): string {
  if (value === null || value === undefined) {
    return 'None';
  }
  if (typeof value === 'string') {
    return quote(value);
  }
  if (typeof value === 'boolean') {
    return value ? 'True' : 'False';
  }
  if (Array.isArray(value)) {
    return `[${value.map(literal).join(', ')}]`;
  }
  return String(value);
}

/** How to name a record in code: by its name, unless another one has the same. */
export function reference(
  record: { id: string; name: string },
  all: readonly { id: string; name: string }[]
): string {
  const taken = all.some(other => other.id !== record.id && other.name === record.name);
  return taken || record.name === '' ? record.id : record.name;
}

/** `ms.extract(...)` with one argument per line, leaving out what is the default. */
export function extractCall(request: ExtractionRequest): string {
  const lines: string[] = [
    `model=${quote(request.model)}`,
    `dataset=${quote(request.dataset)}`
  ];
  const add = (name: string, value: unknown, byDefault?: unknown): void => {
    if (value !== undefined && value !== null && value !== byDefault) {
      lines.push(`${name}=${literal(value)}`);
    }
  };
  add('split', request.split);
  if (request.layers) {
    const many = request.layers.length > 8;
    lines.push(`layers=${many ? quote(formatLayers(request.layers)) : literal(request.layers)}`);
  }
  lines.push(`hooks=${literal(request.hooks)}`);
  add('layout', request.layout, 'packed');
  add('positions', request.positions, 'all');
  add('dtype', request.dtype, 'float16');
  add('context', request.context);
  add('mode', request.mode, 'truncate');
  add('max_samples', request.max_samples);
  add('batch_tokens', request.batch_tokens);
  add('device', request.device, 'auto');
  add('name', request.name);
  const body = lines.map(line => `    ${line},\n`).join('');
  return `import mistudio_ext as ms\n\nacts = ms.extract(\n${body})\n`;
}
