/** Between the extraction form and a template: pure functions. */

import { expand, splitName } from '../lib/hooks';
import type { Choice } from '../lib/hooks';
import { formatLayers, parseLayers } from '../lib/layers';
import { t } from '../messages';
import type { Architecture } from '../types';
import type { Template, TemplateSpec } from './types';

/** The form's settings that a template keeps. */
const KEPT = [
  'layers',
  'hooks',
  'layout',
  'positions',
  'dtype',
  'context',
  'mode',
  'max_samples',
  'batch_tokens'
] as const;

/** The form's settings: hook points, and what else is set, in the words of the request. */
export type Settings = Readonly<Record<string, unknown>>;

/** What is saved of the form; null as long as no hook point is chosen. */
export function specOf(settings: Settings, nLayers: number | null): TemplateSpec | null {
  const hooks = settings['hooks'];
  if (!Array.isArray(hooks) || hooks.length === 0) {
    return null;
  }
  const kept = KEPT.map(key => [key, settings[key]] as const).filter(
    ([, value]) => value !== null && value !== undefined
  );
  const spec = { ...Object.fromEntries(kept), hooks } as TemplateSpec;
  return nLayers === null ? spec : { ...spec, n_layers: nLayers };
}

const WORDS: Record<string, string> = {
  resid_post: 'residual',
  mlp_out: 'mlp',
  attn_out: 'attention'
};

/** A name that says what is in it: `residual_layers0-11_1000samples_1430`. */
export function suggestedName(spec: TemplateSpec, now: Date): string {
  const shorts = spec.hooks.map(hook => splitName(hook).short.replace(/^module:.*\./, ''));
  const words = [...new Set(shorts.map(short => WORDS[short] ?? short))];
  const hooks = words.slice(0, 3).join('-') + (words.length > 3 ? '-etc' : '');
  const layers = layersOf(spec);
  const time = [now.getHours(), now.getMinutes()].map(n => String(n).padStart(2, '0')).join('');
  return [
    hooks,
    spec.positions && spec.positions !== 'all' ? spec.positions : '',
    layers === null ? '' : `layers${layers}`,
    spec.max_samples ? `${spec.max_samples}samples` : '',
    time
  ]
    .filter(Boolean)
    .join('_');
}

/** The layers as text: of the short names, or those in full names; null if there are none. */
export function layersOf(spec: TemplateSpec): string | null {
  const named = spec.hooks.map(hook => splitName(hook).layer).filter(layer => layer !== null);
  if (Array.isArray(spec.layers) && spec.layers.length > 0) {
    return formatLayers(spec.layers);
  }
  if (typeof spec.layers === 'string') {
    return spec.layers;
  }
  if (named.length > 0) {
    return formatLayers([...new Set(named)].sort((a, b) => a - b));
  }
  return spec.layers === null || spec.layers === undefined ? 'all' : null;
}

/** A template in a line. */
export function describe({ spec }: Template): string {
  const layers = layersOf(spec);
  const hooks = [...new Set(spec.hooks.map(hook => splitName(hook).short))];
  return [
    hooks.join(', '),
    layers === 'all' ? t('templates.layers.all') : layers && t('templates.layers', { layers }),
    spec.positions && spec.positions !== 'all' ? spec.positions : '',
    spec.layout === 'padded' ? 'padded' : '',
    spec.dtype ?? '',
    spec.max_samples ? t('templates.samples', { n: spec.max_samples.toLocaleString('en') }) : ''
  ]
    .filter(Boolean)
    .join(' · ');
}

/** Whether the layers mean something else in a model of this depth. */
export function isOtherDepth(spec: TemplateSpec, nLayers: number | null): boolean {
  return (
    nLayers !== null &&
    typeof spec.n_layers === 'number' &&
    spec.n_layers !== nLayers &&
    layersOf(spec) !== 'all'
  );
}

export interface Fitted {
  /** What the form takes; without hook points if the model offers none of them. */
  spec: TemplateSpec;
  /** Full names, or short ones where no layer of the model has them. */
  missing: string[];
}

/** A template's spec with what the model offers; what it lacks is left out and told. */
export function fitted(spec: TemplateSpec, architecture: Architecture | null): Fitted {
  if (!architecture) {
    return { spec, missing: [] };
  }
  const offered = new Set(architecture.hooks.map(hook => hook.name));
  const layers =
    typeof spec.layers === 'string'
      ? parseLayers(spec.layers, architecture.n_layers).layers
      : spec.layers;
  const missing: string[] = [];
  const hooks = spec.hooks.filter(hook => {
    const choice: Choice = { layers: layers ?? null, hooks: [hook] };
    const names = expand(choice, architecture.n_layers);
    const ok = hook.startsWith('module:') || names.some(name => offered.has(name));
    if (!ok) {
      missing.push(hook);
    }
    return ok;
  });
  return { spec: { ...spec, hooks }, missing };
}
