/** The extraction form: its state is the panel's `selection`, in the words of `ms.extract`. */

import type { Selection } from '../afm';
import type { Dataset, ExtractionRequest, Model } from '../types';
import { contract, expand } from './hooks';
import type { Choice } from './hooks';
import { parseLayers } from './layers';
import { reference } from './python';

/** More layers than any model has: for text that is read before the model is known. */
const MANY_LAYERS = 10_000;

/** Layers and hook points as a person, the panel or Python may have written them. */
export function asChoice(selection: Selection): Choice | null {
  const { layers, hooks } = selection;
  if (hooks === undefined || hooks === null) {
    return layers === undefined || layers === null
      ? null
      : { layers: asLayers(layers), hooks: ['resid_post'] };
  }
  const names = typeof hooks === 'string' ? hooks.split(',') : Array.isArray(hooks) ? hooks : [];
  return {
    layers: asLayers(layers),
    hooks: names.filter((name): name is string => typeof name === 'string').map(n => n.trim())
  };
}

function asLayers(layers: unknown): number[] | null {
  if (typeof layers === 'number') {
    return [layers];
  }
  if (Array.isArray(layers)) {
    return layers.filter((layer): layer is number => Number.isInteger(layer));
  }
  if (typeof layers === 'string' && layers.trim() !== '' && layers.trim() !== 'all') {
    return parseLayers(layers, MANY_LAYERS).layers ?? [];
  }
  return null;
}

/** The stream leaving the block in the middle: the usual first look at a model. */
export function defaultChoice(nLayers: number): Choice {
  return { layers: [Math.floor((nLayers - 1) / 2)], hooks: ['resid_post'] };
}

const words = {
  layout: ['packed', 'padded'],
  positions: ['all', 'last', 'mean'],
  dtype: ['float16', 'bfloat16', 'float32'],
  mode: ['truncate', 'chunk', 'pack']
} as const;

export interface Form {
  dataset: Dataset | null;
  split: string;
  model: Model | null;
  /** Full names. */
  hooks: string[];
  layout: string;
  positions: string;
  dtype: string;
  mode: string;
  context: number | null;
  maxSamples: number | null;
  batchTokens: number | null;
  device: string;
  name: string;
}

/** What the selection means with the records that there are. */
export function readForm(
  selection: Selection,
  datasets: readonly Dataset[],
  models: readonly Model[]
): Form {
  const dataset = find(datasets, selection['dataset'], 'sample-stories');
  const model = find(models, selection['model'], 'sample-model');
  const splits = dataset?.splits.map(split => split.name) ?? [];
  const split = text(selection['split']);
  const choice = asChoice(selection);
  const word = (key: keyof typeof words): string => {
    const value = selection[key];
    const known: readonly string[] = words[key];
    return typeof value === 'string' && known.includes(value) ? value : words[key][0];
  };
  return {
    dataset,
    model,
    split: splits.includes(split) ? split : (splits[0] ?? ''),
    hooks: choice && model?.n_layers ? expand(choice, model.n_layers) : [],
    layout: word('layout'),
    positions: word('positions'),
    dtype: word('dtype'),
    mode: word('mode'),
    context: positive(selection['context']),
    maxSamples: positive(selection['max_samples']),
    batchTokens: positive(selection['batch_tokens']),
    device: text(selection['device']) || 'auto',
    name: text(selection['name'])
  };
}

interface Named {
  id: string;
  name: string;
  source: string;
  repo_id: string | null;
  source_path: string | null;
}

/** Python may say an id, a name, a repository, a folder, or the word for the sample. */
function find<T extends Named>(records: readonly T[], wanted: unknown, sample: string): T | null {
  if (typeof wanted !== 'string' || wanted === '') {
    return null;
  }
  return (
    records.find(record => record.id === wanted) ??
    records.find(record => wanted === sample && record.source === 'sample') ??
    records.find(record => [record.name, record.repo_id, record.source_path].includes(wanted)) ??
    null
  );
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function positive(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : null;
}

/** The request for the server, or null as long as something is missing. */
export function toRequest(form: Form): ExtractionRequest | null {
  if (form.dataset?.state !== 'ready' || form.model?.state !== 'ready' || form.hooks.length === 0) {
    return null;
  }
  const { layers, hooks } = contract(form.hooks);
  const request: ExtractionRequest = { model: form.model.id, dataset: form.dataset.id, hooks };
  if (form.split) {
    request.split = form.split;
  }
  if (layers) {
    request.layers = layers;
  }
  request.layout = form.layout;
  request.positions = form.positions;
  request.dtype = form.dtype;
  request.mode = form.mode;
  request.device = form.device;
  if (form.context !== null) {
    request.context = form.context;
  }
  if (form.maxSamples !== null) {
    request.max_samples = form.maxSamples;
  }
  if (form.batchTokens !== null) {
    request.batch_tokens = form.batchTokens;
  }
  if (form.name.trim()) {
    request.name = form.name.trim();
  }
  return request;
}

/** The request in the words of code: names instead of ids. */
export function toPython(
  form: Form,
  request: ExtractionRequest,
  datasets: readonly Dataset[],
  models: readonly Model[]
): ExtractionRequest {
  return {
    ...request,
    model: form.model ? reference(form.model, models) : request.model,
    dataset: form.dataset ? reference(form.dataset, datasets) : request.dataset
  };
}
