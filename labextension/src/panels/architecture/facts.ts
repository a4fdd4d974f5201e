import { bytes, compact, integer } from '../lib/format';
import { t, tData } from '../messages';
import { publishedAs } from '../models/hub';
import type { Architecture } from '../types';
import type { Fact } from '../ui/Facts';
import { blockForm } from './block';
import type { BlockForm } from './block';

/** The numbers that a person looks for first. */
export function totals(a: Architecture): Fact[] {
  return [
    [t('fact.params'), compact(a.n_params)],
    [t('fact.layers'), isUnknown(a, 'n_layers') ? '–' : String(a.n_layers)],
    [t('fact.d_model'), a.d_model ? integer(a.d_model) : '–'],
    [t('fact.size'), bytes(a.size_bytes)]
  ];
}

/** What can be extracted, in a sentence; nothing where it is the usual case of a decoder. */
export function extractable(a: Architecture): string | null {
  if (a.extractable) {
    return a.extractable;
  }
  if (a.hooks.length === 0) {
    const reason = a.unavailable[0]?.reason;
    return reason ? t('extractable.nothing', { reason }) : null;
  }
  return a.kind === 'encoder' ? t('extractable.encoder') : null;
}

/** The structure in numbers; what is unknown or does not apply is left out. */
export function architectureFacts(a: Architecture): Fact[] {
  const yesNo = (value: boolean | null | undefined): string | null =>
    value === null || value === undefined
      ? null
      : t(value ? 'architecture.yes' : 'architecture.no');
  const form = blockForm(a);
  const heads =
    a.n_heads && a.n_kv_heads && a.n_kv_heads !== a.n_heads
      ? t('fact.heads.grouped', { heads: a.n_heads, kv: a.n_kv_heads })
      : (a.n_heads ?? null);
  const all: [string, string | number | null | undefined][] = [
    [t('fact.class'), a.class_name],
    [t('fact.kind'), a.kind],
    [t('fact.params'), a.n_params ? compact(a.n_params) : null],
    [t('fact.size'), a.size_bytes ? bytes(a.size_bytes) : null],
    [t('fact.layers'), isUnknown(a, 'n_layers') ? null : a.n_layers],
    [t('fact.d_model'), a.d_model ? integer(a.d_model) : null],
    [t('fact.d_mlp'), a.d_mlp ? integer(a.d_mlp) : null],
    [t('fact.heads'), heads],
    [t('fact.head_dim'), a.head_dim],
    [t('fact.attention'), a.attention],
    [t('fact.window'), a.sliding_window ? integer(a.sliding_window) : null],
    [t('fact.experts'), form.experts ? expertsText(form.experts) : null],
    [t('fact.active'), a.active_params ? compact(a.active_params) : null],
    [t('fact.block'), t(`block.${form.shape}`)],
    [t('fact.norms'), t(`norms.${form.norm}`)],
    [t('fact.vocab'), a.vocab_size ? integer(a.vocab_size) : null],
    [t('fact.context'), a.context ? integer(a.context) : null],
    [t('fact.positional'), a.positional],
    [t('fact.positions'), positionLimit(a)],
    [t('fact.norm'), a.norm],
    [t('fact.activation'), a.activation],
    [t('fact.tied'), yesNo(a.tied)],
    [t('fact.dtype'), a.dtype],
    [t('fact.published'), publishedAs(a.config)],
    [t('fact.format'), a.format]
  ];
  const known = all
    .filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([label, value]): Fact => [label, String(value)]);
  return [...known, ...unknownFacts(a)];
}

/** What could not be found, with the reason: an empty place would look as if it did not apply. */
function unknownFacts(a: Architecture): Fact[] {
  return (a.unknown ?? []).map(({ fact, reason }): Fact => {
    const name = tData('fact', fact);
    const label = name === fact ? fact.replaceAll('_', ' ') : name;
    return [label, t('fact.unknown', { reason }), true];
  });
}

const isUnknown = (a: Architecture, name: string): boolean =>
  (a.unknown ?? []).some(({ fact }) => fact === name);

/** The longest input; where positions are computed there is no end. */
function positionLimit({ positions }: Architecture): string | null {
  if (positions === undefined) {
    return null;
  }
  return positions === null ? t('fact.positions.none') : integer(positions);
}

function expertsText({ active, count }: NonNullable<BlockForm['experts']>): string {
  return active === null ? String(count) : t('fact.experts.value', { active, count });
}
