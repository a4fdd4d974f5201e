/** Two models side by side: rows of facts, of hook points and of the configuration. */

import { architectureFacts } from '../architecture/facts';
import { flattenConfig } from '../architecture/config';
import type { Architecture } from '../types';

export interface ComparedRow {
  key: string;
  first: string;
  second: string;
  same: boolean;
}

/** What a model lacks. */
const ABSENT = '–';

function rowsOf(first: Map<string, string>, second: Map<string, string>): ComparedRow[] {
  return [...new Set([...first.keys(), ...second.keys()])].map(key => {
    const [a, b] = [first.get(key) ?? ABSENT, second.get(key) ?? ABSENT];
    return { key, first: a, second: b, same: a === b };
  });
}

/** The facts of the architecture, in the order of the first model. */
export function comparedFacts(first: Architecture, second: Architecture): ComparedRow[] {
  const facts = (a: Architecture): Map<string, string> =>
    new Map(architectureFacts(a).map(([label, value]) => [label, String(value)]));
  return rowsOf(facts(first), facts(second));
}

/** The configurations, key by key. */
export function comparedConfigs(first: Architecture, second: Architecture): ComparedRow[] {
  const entries = (a: Architecture): Map<string, string> => new Map(flattenConfig(a.config ?? {}));
  return rowsOf(entries(first), entries(second)).sort((a, b) => a.key.localeCompare(b.key));
}

/** Kinds of hook points that only one of them offers. */
export function comparedHooks(
  first: Architecture,
  second: Architecture
): { onlyFirst: string[]; onlySecond: string[] } {
  const shorts = (a: Architecture): Set<string> => new Set(a.hooks.map(hook => hook.short));
  const [a, b] = [shorts(first), shorts(second)];
  return {
    onlyFirst: [...a].filter(short => !b.has(short)),
    onlySecond: [...b].filter(short => !a.has(short))
  };
}
