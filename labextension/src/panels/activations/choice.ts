/** What is looked at in an extraction; the panel's selection, which Python reads and sets too. */

import type { Host, Selection } from '../afm';
import type { Extraction } from '../types';

export interface LookChoice {
  hook: string;
  /** null: the norm. */
  dimension: number | null;
  sample: number;
  /** Position in the sample; null as long as none is chosen. */
  token: number | null;
}

function whole(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : null;
}

/** Reads the choice, with the first hook and the first sample where nothing is said. */
export function readChoice(selection: Selection, hooks: readonly string[]): LookChoice {
  const hook = selection['hook'];
  return {
    hook: typeof hook === 'string' && hooks.includes(hook) ? hook : (hooks[0] ?? ''),
    dimension: whole(selection['dimension']),
    sample: whole(selection['sample']) ?? 0,
    token: whole(selection['token'])
  };
}

/**
 * A model's first token is no token like others: attention is parked there, with a norm that hides
 * all others. Searches, projections and colours leave it out where all tokens are stored.
 */
export const SKIP_FIRST = 1;

export interface Look {
  extraction: Extraction;
  choice: LookChoice;
  choose: (part: Partial<LookChoice>) => void;
}

/** The choice of a panel, and how to change it. */
export function useLook(host: Host, extraction: Extraction): Look {
  const choice = readChoice(host.selection.value, extraction.spec.hooks ?? []);
  return {
    extraction,
    choice,
    choose: part => host.select({ ...host.selection.peek(), ...choice, ...part })
  };
}
