import { describe, expect, it } from 'vitest';
import { flattenConfig } from '../architecture/config';
import { bytes, compact, duration, integer, percent, quantity, shape } from '../lib/format';
import {
  axesOf,
  offerOf,
  pressed,
  setLayers,
  toggleLayer,
  toggleName,
  togglePoint
} from '../lib/grid';
import { byTurn, folded, foldStart, pieces } from '../lib/highlight';
import { blockPoint, contract, expand, splitName } from '../lib/hooks';
import { formatLayers, parseLayers, stepOf } from '../lib/layers';
import { extractCall, reference } from '../lib/python';
import { asChoice, readForm, toRequest } from '../lib/selection';
import { count, t, translateAll } from '../messages';
import type { Architecture, Dataset, Model } from '../types';

describe('format', () => {
  it('shows sizes in decimal units', () => {
    expect([0, 999, 1000, 12_345_678, 3.16e9, null].map(bytes)).toEqual([
      '0 B',
      '999 B',
      '1 kB',
      '12.3 MB',
      '3.16 GB',
      '–'
    ]);
  });

  it('shows numbers with what matters of them', () => {
    expect([0, 950, 1500, 3_250_000, 7.24e9, 999_999].map(compact)).toEqual([
      '0',
      '950',
      '1.5 k',
      '3.25 M',
      '7.24 B',
      '1 M'
    ]);
    expect(integer(822065.4)).toBe('822,065');
    expect([0, 22.34, 0.00012, 1_234_567, NaN].map(quantity)).toEqual([
      '0',
      '22.3',
      '1.2e-4',
      '1.2e+6',
      '–'
    ]);
    expect([0, 0.00001, 0.0123, 0.4, 1].map(percent)).toEqual([
      '0 %',
      'under 0.1 %',
      '1.2 %',
      '40 %',
      '100 %'
    ]);
    expect(shape([46229, 192])).toBe('46,229 × 192');
  });

  it('shows times in the two largest units', () => {
    expect([0.2, 8, 75, 3600, 7325, 90_000, undefined].map(duration)).toEqual([
      'under 1 s',
      '8 s',
      '1 min 15 s',
      '1 h',
      '2 h 2 min',
      '1 d 1 h',
      '–'
    ]);
  });
});

describe('highlights', () => {
  it('count code points, as Python does', () => {
    expect(pieces('a😀bcd', [[2, 4]])).toEqual([
      { text: 'a😀', found: false },
      { text: 'bc', found: true },
      { text: 'd', found: false }
    ]);
  });

  it('may touch, overlap, or be none', () => {
    const found = (marks: [number, number][]): string =>
      pieces('abcdef', marks)
        .map(piece => (piece.found ? `[${piece.text}]` : piece.text))
        .join('');
    expect(found([])).toBe('abcdef');
    expect(found([[0, 6]])).toBe('[abcdef]');
    expect(
      found([
        [3, 5],
        [0, 2],
        [1, 4]
      ])
    ).toBe('[ab][cd][e]f');
  });

  it('decide where a folded text begins', () => {
    expect(foldStart([], 420)).toBe(0);
    expect(foldStart([[100, 110]], 420)).toBe(0);
    expect(foldStart([[2000, 2010]], 420)).toBe(1860);
  });
});

describe('layers', () => {
  it.each([
    ['0,2-5', [0, 2, 3, 4, 5]],
    ['0-11:4', [0, 4, 8]],
    [' 3 , 1 - 2 ', [1, 2, 3]],
    ['all', [...Array(12).keys()]],
    ['', []],
    ['5,5,5', [5]]
  ])('reads %s', (text, layers) => {
    expect(parseLayers(text, 12)).toEqual({ layers, error: null });
  });

  it.each(['x', '1-', '1,,2', '-1', '12', '3-12', '1.5'])('refuses %s', text => {
    const parsed = parseLayers(text, 12);
    expect(parsed.layers).toBeNull();
    expect(parsed.error).toBeTruthy();
  });

  it.each([
    [[0, 2, 3, 4, 5], '0,2-5'],
    [[0, 4, 8, 12], '0-12:4'],
    [[2, 5], '2,5'],
    [[0, 1], '0,1'],
    [[], ''],
    [[7], '7']
  ])('writes %j', (layers, text) => {
    expect(formatLayers(layers)).toBe(text);
    expect(parseLayers(text, 99).layers).toEqual(layers);
  });

  it('says "all" where it is all', () => {
    expect(formatLayers([0, 1, 2], 3)).toBe('all');
    expect(formatLayers([0], 1)).toBe('0');
  });

  it.each([
    [[0, 3, 6], 3],
    [[1, 2], 1],
    [[0, 3, 5], 0],
    [[4], 0],
    [[], 0]
  ])('knows how far apart %j are', (layers, step) => expect(stepOf(layers)).toBe(step));
});

describe('hook points', () => {
  it('have TransformerLens names', () => {
    expect(blockPoint(2, 'resid_post')).toBe('blocks.2.hook_resid_post');
    expect(splitName('blocks.10.attn.hook_z')).toEqual({ layer: 10, short: 'z' });
    expect(splitName('ln_final.hook_normalized')).toEqual({ layer: null, short: 'ln_final' });
    expect(splitName('module:model.norm')).toEqual({ layer: null, short: 'module:model.norm' });
  });

  it('expand over layers in the order of the forward pass', () => {
    expect(expand({ layers: [1, -1, 9], hooks: ['mlp', 'residual', 'embed'] }, 3)).toEqual([
      'hook_embed',
      'blocks.1.hook_mlp_out',
      'blocks.1.hook_resid_post',
      'blocks.2.hook_mlp_out',
      'blocks.2.hook_resid_post'
    ]);
    expect(expand({ layers: null, hooks: ['attn_out'] }, 2)).toHaveLength(2);
  });

  it.each([
    [{ layers: [2, 5], hooks: ['resid_post'] }],
    [{ layers: [0, 1], hooks: ['attn_out', 'mlp_out', 'embed', 'ln_final'] }],
    [{ layers: null, hooks: ['blocks.1.hook_resid_post', 'blocks.3.hook_mlp_out'] }],
    [{ layers: null, hooks: ['hook_embed'] }],
    [{ layers: [1], hooks: ['z', 'module:model.norm'] }]
  ])('contract %j back', choice => {
    const names = expand(choice, 8);
    expect(contract(names)).toEqual(choice);
    expect(expand(contract(names), 8)).toEqual(names);
  });
});

const architecture = {
  n_layers: 4,
  hooks: [
    { name: 'hook_embed', short: 'embed', layer: null, d: 8 },
    ...[0, 1, 2, 3].flatMap(layer =>
      (['attn_out', 'resid_post'] as const).map(short => ({
        name: blockPoint(layer, short),
        short,
        layer,
        d: 8
      }))
    )
  ],
  unavailable: [{ short: 'resid_mid', reason: 'parallel' }]
} as unknown as Architecture;

describe('choosing', () => {
  const offer = offerOf(architecture);
  const none = { layers: [], points: [] };
  const start = new Set(expand({ layers: [1, 3], hooks: ['resid_post'] }, 4));

  it('knows what a model offers', () => {
    expect(offer.points).toEqual(['attn_out', 'resid_post']);
    expect(offer.globals).toEqual(['embed']);
    expect(offer.reasons.get('resid_mid')).toBe('parallel');
  });

  it('puts a point on the chosen layers and takes it off again', () => {
    const more = togglePoint(start, 'attn_out', offer, none);
    expect(contract(more)).toEqual({ layers: [1, 3], hooks: ['attn_out', 'resid_post'] });
    const set = new Set(more);
    expect(pressed(set, 'attn_out', offer)).toBe(true);
    expect(new Set(togglePoint(set, 'attn_out', offer, none))).toEqual(start);
  });

  it('remembers the layers when the last point is taken away', () => {
    const empty = new Set(togglePoint(start, 'resid_post', offer, none));
    expect(empty.size).toBe(0);
    expect(contract(togglePoint(empty, 'attn_out', offer, axesOf(start)))).toEqual({
      layers: [1, 3],
      hooks: ['attn_out']
    });
  });

  it('completes a point that only some layers have', () => {
    const mixed = new Set([...start, blockPoint(1, 'attn_out')]);
    expect(pressed(mixed, 'attn_out', offer)).toBe('mixed');
    const full = new Set(togglePoint(mixed, 'attn_out', offer, none));
    expect(pressed(full, 'attn_out', offer)).toBe(true);
  });

  it('moves the points to other layers and keeps what has no layer', () => {
    const withEmbed = new Set([...start, 'hook_embed', 'module:model.norm']);
    expect(setLayers(withEmbed, [0, 2], offer, none)).toEqual([
      'hook_embed',
      'blocks.0.hook_resid_post',
      'blocks.2.hook_resid_post',
      'module:model.norm'
    ]);
    expect(setLayers(new Set(), [0], offer, none)).toEqual(['blocks.0.hook_resid_post']);
  });

  it('toggles a layer and a single name', () => {
    const without = new Set(toggleLayer(start, 3, offer, none));
    expect([...without]).toEqual(['blocks.1.hook_resid_post']);
    expect(new Set(toggleLayer(without, 3, offer, none))).toEqual(start);
    expect(toggleName(without, 'hook_embed', offer)).toContain('hook_embed');
    expect(toggleName(without, 'blocks.9.hook_resid_post', offer)).not.toContain(
      'blocks.9.hook_resid_post'
    );
  });
});

const dataset = {
  id: 'ds_1',
  name: 'stories',
  source: 'path',
  source_path: '/data/stories',
  repo_id: null,
  state: 'ready',
  splits: [
    { name: 'train', n_rows: 9, n_bytes: 9 },
    { name: 'validation', n_rows: 1, n_bytes: 1 }
  ]
} as unknown as Dataset;
const model = {
  id: 'model_1',
  name: 'tiny',
  source: 'sample',
  source_path: null,
  repo_id: null,
  state: 'ready',
  n_layers: 12
} as unknown as Model;

describe('selection', () => {
  it('takes what Python may write', () => {
    expect(asChoice({})).toBeNull();
    expect(asChoice({ layers: '0,2-3', hooks: 'resid_post, mlp_out' })).toEqual({
      layers: [0, 2, 3],
      hooks: ['resid_post', 'mlp_out']
    });
    expect(asChoice({ layers: 'all', hooks: ['z'] })).toEqual({ layers: null, hooks: ['z'] });
    expect(asChoice({ layers: 3 })).toEqual({ layers: [3], hooks: ['resid_post'] });
  });

  it.each(['ds_1', 'stories', '/data/stories'])('finds a dataset by %s', wanted => {
    expect(readForm({ dataset: wanted }, [dataset], []).dataset).toBe(dataset);
  });

  it('makes a request with what is chosen', () => {
    const form = readForm(
      {
        dataset: 'stories',
        model: 'sample-model',
        split: 'validation',
        layers: [2, 5],
        hooks: ['resid_post'],
        dtype: 'nonsense',
        context: 64,
        max_samples: -1,
        name: ' run1 '
      },
      [dataset],
      [model]
    );
    expect(toRequest(form)).toEqual({
      model: 'model_1',
      dataset: 'ds_1',
      split: 'validation',
      layers: [2, 5],
      hooks: ['resid_post'],
      layout: 'packed',
      positions: 'all',
      dtype: 'float16',
      mode: 'truncate',
      device: 'auto',
      context: 64,
      name: 'run1'
    });
  });

  it('makes none as long as something is missing', () => {
    expect(toRequest(readForm({}, [dataset], [model]))).toBeNull();
    expect(toRequest(readForm({ dataset: 'ds_1', model: 'tiny' }, [dataset], [model]))).toBeNull();
    const pending = { ...model, state: 'pending' } as Model;
    const selection = { dataset: 'ds_1', model: 'tiny', layers: [0], hooks: ['z'] };
    expect(toRequest(readForm(selection, [dataset], [pending]))).toBeNull();
  });
});

describe('python', () => {
  it('leaves out what is the default', () => {
    const code = extractCall({
      model: 'tiny',
      dataset: 'say "hi"',
      split: 'train',
      layers: [2, 5],
      hooks: ['resid_post'],
      layout: 'packed',
      positions: 'last',
      dtype: 'float16',
      mode: 'truncate',
      device: 'auto',
      max_samples: 300
    });
    expect(code).toBe(
      [
        'import mistudio_ext as ms',
        '',
        'acts = ms.extract(',
        '    model="tiny",',
        '    dataset="say \\"hi\\"",',
        '    split="train",',
        '    layers=[2, 5],',
        '    hooks=["resid_post"],',
        '    positions="last",',
        '    max_samples=300,',
        ')',
        ''
      ].join('\n')
    );
  });

  it('shortens many layers', () => {
    const layers = [...Array(12).keys()];
    expect(extractCall({ model: 'm', dataset: 'd', layers, hooks: ['z'] })).toContain(
      'layers="0-11",'
    );
  });

  it('names a record by its name only where that is enough', () => {
    expect(reference(model, [model])).toBe('tiny');
    expect(reference(model, [model, { id: 'model_2', name: 'tiny' }])).toBe('model_1');
  });
});

describe('texts', () => {
  it('fill in values and plurals', () => {
    expect(t('hooks.outOfRange', { layer: 9, n: 6 })).toBe(
      'Layer 9 does not exist: the model has 6 layers.'
    );
    expect(count(1, 'row')).toBe('1 row');
    expect(count(6000, 'row')).toBe('6,000 rows');
  });

  it('can be translated in part', () => {
    translateAll(text => ({ Jobs: 'Aufträge' })[text] ?? text);
    expect(t('tab.jobs')).toBe('Aufträge');
    expect(t('tab.models')).toBe('Models');
    translateAll(text => text);
    expect(t('tab.jobs')).toBe('Jobs');
  });
});

it('flattens a configuration', () => {
  expect(flattenConfig({ a: { b: 1, c: ['x'] }, d: 'text', e: null })).toEqual([
    ['a.b', '1'],
    ['a.c', '["x"]'],
    ['d', 'text'],
    ['e', 'null']
  ]);
});

describe('a conversation that was searched', () => {
  it('has its highlights turn by turn', () => {
    const turns = [
      { role: 'user', content: 'a 😀 fox' },
      { role: 'bot', content: 'a fox' }
    ];
    // "user: a 😀 fox\nbot: a fox"
    expect(
      byTurn(turns, [
        [0, 4],
        [10, 13],
        [21, 24]
      ])
    ).toEqual([[[4, 7]], [[2, 5]]]);
    expect(byTurn(turns, [])).toEqual([[], []]);
  });
});

describe('a folded text', () => {
  it('begins where its first match can be seen', () => {
    expect(folded('short', [[1, 3]], 420)).toEqual({ text: 'short', highlights: [[1, 3]] });
    const long = folded('x'.repeat(1000) + ' fox ' + 'y'.repeat(1000), [[1001, 1004]], 420);
    expect(long.text.startsWith('…x')).toBe(true);
    expect(long.text.endsWith('y…')).toBe(true);
    const [from, to] = long.highlights[0] ?? [0, 0];
    expect(long.text.slice(from, to)).toBe('fox');
  });
});
