/** What a person should know before models are deleted. */

import { bytes } from '../lib/format';
import { t } from '../messages';
import type { ModelDependents } from '../types';

/** More names than this are no longer read. */
const NAMED = 5;

function named(all: readonly { name: string }[]): string {
  const names = [...new Set(all.map(each => each.name))];
  const rest = names.length - NAMED;
  return names.slice(0, NAMED).join(', ') + (rest > 0 ? ` (+${rest})` : '');
}

/** Sentences about what deleting `ids` touches, from what the server says about each. */
export function consequences(ids: readonly string[], found: readonly ModelDependents[]): string[] {
  const extractions = found.flatMap(each => each.extractions);
  const along = found.flatMap(each => each.variants).filter(each => !ids.includes(each.id));
  const tokenizations = found.reduce((sum, each) => sum + each.tokenizations, 0);
  const frees = found.reduce((sum, each) => sum + each.frees_bytes, 0);
  const said: string[] = [];
  if (extractions.length > 0) {
    said.push(t('many.keeps', { names: named(extractions) }));
  }
  if (tokenizations > 0) {
    said.push(t('many.tokenizations', { n: tokenizations }));
  }
  if (along.length > 0) {
    said.push(t('many.variants', { names: named(along) }));
  }
  said.push(frees > 0 ? t('many.frees', { bytes: bytes(frees) }) : t('many.frees.none'));
  return said;
}
