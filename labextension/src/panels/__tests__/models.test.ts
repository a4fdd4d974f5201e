import { describe, expect, it } from 'vitest';
import { blockForm, firstBlock, layersByKind } from '../architecture/block';
import { configTree, searchConfig } from '../architecture/config';
import { hookKinds } from '../architecture/HookList';
import { layoutOf, STREAM, WIDTH } from '../architecture/layout';
import { isRepoId } from '../lib/repos';
import { comparedConfigs, comparedFacts, comparedHooks } from '../models/compare';
import { consequences } from '../models/dependents';
import { linePoints } from '../models/ErrorPlot';
import { diskHasRoom, firstFormat, freeBytes, hasOwnCode, verdict } from '../models/hub';
import type { FormatEstimate, HubModel } from '../models/hub';
import { distinct, isFiltered, NO_FILTER, occurring, shown } from '../models/list';
import { fallbackNote } from '../models/Variants';
import {
  describe as told,
  fitted,
  isOtherDepth,
  layersOf,
  specOf,
  suggestedName
} from '../templates/spec';
import { visible } from '../ui/TokenChips';
import type { Architecture, Device, HookPoint, Model, TreeNode } from '../types';

function model(values: Partial<Model>): Model {
  return {
    id: 'm',
    name: 'm',
    source: 'path',
    state: 'ready',
    error: null,
    repo_id: null,
    revision: null,
    path: null,
    source_path: null,
    format: 'fp32',
    family: 'llama',
    n_params: 1e8,
    n_layers: 2,
    d_model: 8,
    vocab_size: 10,
    context: 64,
    size_bytes: 4e8,
    created_at: '',
    updated_at: '',
    job_id: null,
    ...values
  };
}

function architecture(values: Partial<Architecture> = {}): Architecture {
  return {
    model_type: 'llama',
    class_name: 'Llama',
    kind: 'decoder',
    n_layers: 4,
    d_model: 8,
    hooks: [],
    unavailable: [],
    ...values
  };
}

const hook = (layer: number, short: string, rest: Partial<HookPoint> = {}): HookPoint => ({
  name: `blocks.${layer}.hook_${short}`,
  short,
  layer,
  d: 8,
  ...rest
});

const node = (name: string, kind = 'Linear', children: TreeNode[] = []): TreeNode => ({
  name,
  class: kind,
  params: 1,
  share: 0,
  children
});

function block(...norms: string[]): TreeNode[] {
  const inside = norms.map(name => node(`model.layers.0.${name}`, 'RMSNorm'));
  const list = [node('model.layers.0', 'Block', inside), node('model.layers.1', 'Block')];
  return [node('model', 'Model', [node('model.layers', 'ModuleList', list)])];
}

describe('what a format takes', () => {
  const row: FormatEstimate = {
    format: 'fp32',
    download_bytes: 100,
    memory_bytes: { cpu: 80, gpu: 40 },
    extraction_bytes: { cpu: 95, gpu: 50 },
    fits: { cpu: false, 'cuda:0': true },
    recommended: true
  };
  const cpu: Device = { id: 'cpu', name: 'CPU', kind: 'cpu', memory_total: 200, memory_used: 100 };

  it('fits by the server’s word, is tight by the numbers, or too big', () => {
    expect(verdict(row, { id: 'cuda:0', name: 'GPU', kind: 'gpu' })).toBe('yes');
    expect(freeBytes(cpu)).toBe(100);
    expect(verdict(row, cpu)).toBe('tight');
    expect(verdict(row, { ...cpu, memory_used: 110 })).toBe('no');
    expect(verdict(row, { ...cpu, memory_total: null })).toBe('unknown');
    expect(verdict(row, undefined)).toBe('unknown');
  });

  it('begins with the recommended format, warns of the disk and of code', () => {
    const hub = {
      formats: [
        { ...row, recommended: false },
        { ...row, format: 'q8' }
      ],
      recommendation: null,
      download_bytes: 50,
      disk: { free: 100, reserve: 60 },
      config: { auto_map: {} }
    } as unknown as HubModel;
    expect(firstFormat(hub)).toBe('q8');
    expect(diskHasRoom(hub)).toBe(false);
    expect(hasOwnCode(hub)).toBe(true);
  });

  it('knows what a repository’s name looks like', () => {
    expect(['gpt2', 'org/name', 'a/b.c_d-e'].every(isRepoId)).toBe(true);
    expect(['', 'a/b/c', 'two words', 'a/..', 'a--b'].some(isRepoId)).toBe(false);
  });
});

describe('the list of models', () => {
  const models = [
    model({ id: 'a', name: 'b10', n_params: 2e9, format: 'q8' }),
    model({ id: 'b', name: 'b9', family: 'gpt2' }),
    model({ id: 'c', name: 'c', n_params: null, state: 'failed' })
  ];
  const ids = (values: object): string[] =>
    shown(models, { ...NO_FILTER, ...values }).map(each => each.id);

  it('shows what fell back on a format that is there once', () => {
    const same = { format: 'q4', parent_id: 'p', requested_format: null };
    const fallen = { ...same, requested_format: 'q8' };
    const list = (...each: Model[]): string[] => distinct(each).map(one => one.id);
    expect(list(model({ id: 'f', ...fallen }), model({ id: 'q4', ...same }))).toEqual(['q4']);
    expect(list(model({ id: 'new', ...fallen }), model({ id: 'old', ...fallen }))).toEqual(['old']);
    const failed = model({ id: 'q4', ...same, state: 'failed' });
    expect(list(model({ id: 'f', ...fallen }), failed)).toEqual(['f', 'q4']);
  });

  it('filters by name, family, size, format and state', () => {
    expect(ids({})).toEqual(['a', 'b', 'c']);
    expect(ids({ text: ' GPT2 ' })).toEqual(['b']);
    expect(ids({ family: 'llama' })).toEqual(['a', 'c']);
    expect(ids({ size: 'medium' })).toEqual(['a']);
    expect(ids({ format: 'q8', state: 'failed' })).toEqual([]);
    expect(isFiltered({ ...NO_FILTER, sort: 'name' })).toBe(false);
    expect(occurring(models, 'family')).toEqual(['gpt2', 'llama']);
  });

  it('sorts as a person counts', () => {
    expect(ids({ sort: 'name' })).toEqual(['b', 'a', 'c']);
    expect(ids({ sort: 'params' })).toEqual(['a', 'b', 'c']);
  });

  it('says what deleting touches', () => {
    const found = {
      extractions: [{ id: 'e', name: 'run1' }],
      tokenizations: 0,
      variants: [{ id: 'v', name: 'm (q8)' }],
      frees_bytes: 2000,
      in_use: null
    };
    expect(consequences(['a'], [found]).join(' ')).toMatch(/run1.*m \(q8\).*2 kB/);
    expect(consequences(['a', 'v'], [found]).join(' ')).not.toContain('q8');
    expect(consequences(['a'], [{ ...found, frees_bytes: 0 }]).join(' ')).toMatch(/frees nothing/);
  });

  it('says where another format was made than the one asked for', () => {
    expect(fallbackNote(model({ format: 'q8', requested_format: 'q8' }))).toBeNull();
    expect(fallbackNote(model({ format: 'q8', requested_format: 'fp32' }))).toMatch(/fp32.*q8/);
  });

  it('draws an error by layer from zero up', () => {
    const [first, last] = linePoints([0, 0.5]);
    expect(first?.[1]).toBeGreaterThan(last?.[1] ?? 0);
    expect(linePoints([0, 0]).every(([, y]) => Number.isFinite(y))).toBe(true);
  });
});

describe('two models side by side', () => {
  const first = architecture({ norm: 'RMSNorm', config: { a: 1 }, hooks: [hook(0, 'resid_mid')] });
  const second = architecture({ norm: 'LayerNorm', config: { a: 1, b: { c: 2 } } });

  it('marks what differs', () => {
    const norm = comparedFacts(first, second).find(row => row.first === 'RMSNorm');
    expect(norm).toMatchObject({ second: 'LayerNorm', same: false });
    expect(comparedConfigs(first, second)).toEqual([
      { key: 'a', first: '1', second: '1', same: true },
      { key: 'b.c', first: '–', second: '2', same: false }
    ]);
    expect(comparedHooks(first, second)).toEqual({ onlyFirst: ['resid_mid'], onlySecond: [] });
  });
});

describe('the drawing of a block', () => {
  it('takes the server’s word, else reads the module tree', () => {
    const sandwich = block('ln1', 'ln2', 'post_norm', 'pre_norm');
    expect(firstBlock(sandwich)?.name).toBe('model.layers.0');
    expect(blockForm(architecture({ tree: sandwich })).norm).toBe('sandwich');
    expect(blockForm(architecture({ tree: block('input_layernorm', 'ln') })).norm).toBe('pre');
    const olmo = block('post_attention_layernorm', 'post_feedforward_layernorm');
    expect(blockForm(architecture({ tree: olmo })).norm).toBe('branch');
    expect(blockForm(architecture({ kind: 'encoder' })).norm).toBe('stream');
    expect(blockForm(architecture({ tree: olmo, block: { norm: 'pre' } })).norm).toBe('pre');
    const shared = architecture({ parallel: true, tree: block('input_layernorm') });
    expect(blockForm(shared)).toMatchObject({ shape: 'parallel', sharedNorm: true });
  });

  it('has no stream between parallel branches, and no MLP where there is one mixer', () => {
    const form = blockForm(architecture());
    const points = (shape: 'serial' | 'parallel' | 'single'): string[] =>
      Object.keys(layoutOf({ ...form, shape }).points);
    expect(points('serial')).toContain('resid_mid');
    expect(points('parallel')).not.toContain('resid_mid');
    expect(points('parallel')).toContain('mlp_out');
    expect(points('single')).not.toContain('mlp_out');
  });

  it('stays within its frame and goes down', () => {
    for (const shape of ['serial', 'parallel', 'single'] as const) {
      for (const norm of ['pre', 'sandwich', 'branch', 'stream', 'none'] as const) {
        const layout = layoutOf({ ...blockForm(architecture()), shape, norm });
        for (const part of layout.parts) {
          expect(part.x - part.w / 2).toBeGreaterThan(0);
          expect(part.x + part.w / 2).toBeLessThan(WIDTH);
        }
        const stream = Object.values(layout.points).filter(([x]) => x === STREAM);
        const heights = stream.map(([, y]) => y).sort((a, b) => a - b);
        heights.slice(1).forEach((y, i) => expect(y - (heights[i] ?? 0)).toBeGreaterThan(2));
        expect(layout.height).toBeGreaterThan(layout.frame[1]);
      }
    }
  });

  it('tells layers of different kinds apart', () => {
    expect(layersByKind(['full', 'full']).size).toBe(0);
    expect([...layersByKind(['a', 'b', 'a'])]).toEqual([
      ['a', [0, 2]],
      ['b', [1]]
    ]);
  });

  it('gathers hook points by kind, with the largest error of their checks', () => {
    const kinds = hookKinds([
      hook(0, 'resid_post', { verified: true, max_error: 0 }),
      hook(0, 'attn_out', { verified: false }),
      hook(1, 'resid_post', { verified: true, max_error: 1e-7 })
    ]);
    expect(kinds.map(kind => kind.short)).toEqual(['attn_out', 'resid_post']);
    expect(kinds[1]).toMatchObject({ layers: [0, 1], verified: true, maxError: 1e-7 });
  });
});

it('the configuration is searched by key and by value', () => {
  const tree = configTree({ rope: { theta: 10000, kind: 'linear' }, act: 'silu' });
  expect(searchConfig(tree, 'THETA')).toMatchObject([
    { key: 'rope', children: [{ key: 'theta', value: '10000' }] }
  ]);
  expect(searchConfig(tree, 'silu').map(each => each.key)).toEqual(['act']);
  expect(searchConfig(tree, 'nothing')).toEqual([]);
});

it('white space in tokens can be seen', () => {
  expect(visible(' a\n')).toBe('·a⏎');
});

describe('templates', () => {
  const settings = { layers: [0, 1, 2], hooks: ['resid_post'], max_samples: 1000, context: null };
  const at = new Date(2026, 0, 1, 14, 30);

  it('keep what is set, and the depth that it was set for', () => {
    expect(specOf(settings, 12)).toEqual({
      layers: [0, 1, 2],
      hooks: ['resid_post'],
      max_samples: 1000,
      n_layers: 12
    });
    expect(specOf({ hooks: [] }, 12)).toBeNull();
  });

  it('suggest a name that says what is in them', () => {
    const name = (values: object): string =>
      suggestedName({ hooks: ['resid_post'], ...values }, at);
    expect(name({ layers: [0, 1, 2], max_samples: 1000 })).toBe(
      'residual_layers0-2_1000samples_1430'
    );
    expect(name({ positions: 'last' })).toBe('residual_last_layersall_1430');
    expect(name({ hooks: ['blocks.3.hook_mlp_out', 'module:a.b.up'] })).toBe('mlp-up_layers3_1430');
  });

  it('ask before layers of another depth are used', () => {
    const spec = { layers: [11], hooks: ['resid_post'], n_layers: 12 };
    expect(isOtherDepth(spec, 6)).toBe(true);
    expect(isOtherDepth(spec, 12)).toBe(false);
    expect(isOtherDepth({ ...spec, layers: null }, 6)).toBe(false);
    expect(isOtherDepth(spec, null)).toBe(false);
    expect(layersOf({ hooks: ['hook_embed'], layers: [] })).toBeNull();
  });

  it('leave out what the model does not offer, and say so', () => {
    const offer = architecture({ hooks: [hook(1, 'resid_post')] });
    const spec = { layers: [1], hooks: ['resid_post', 'resid_mid', 'module:a.b'] };
    expect(fitted(spec, offer)).toEqual({
      spec: { layers: [1], hooks: ['resid_post', 'module:a.b'] },
      missing: ['resid_mid']
    });
    expect(fitted(spec, null).missing).toEqual([]);
  });

  it('are told in a line', () => {
    const template = {
      id: 't',
      name: 't',
      description: '',
      favorite: false,
      spec: { layers: [0, 5], hooks: ['mlp_out'], dtype: 'float16', max_samples: 1000 },
      created_at: '',
      updated_at: ''
    };
    expect(told(template)).toBe('mlp_out · layers 0,5 · float16 · 1,000 samples');
  });
});
