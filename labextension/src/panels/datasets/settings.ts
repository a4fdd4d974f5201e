/** The form of a tokenization: what is typed, and the request that it makes. */

import type { TokenizeSettings } from './types';

export interface TokenizeForm {
  /** Id of a model, or '' for a folder. */
  model: string;
  folder: string;
  split: string;
  column: string;
  context: number | null;
  mode: TokenizeSettings['mode'];
  overlap: number | null;
  special: boolean;
  bos: TokenizeSettings['bos'];
  chat: boolean;
  minTokens: number | null;
  minChars: number | null;
  maxRows: number | null;
  cleanJunk: boolean;
  /** Percent. */
  maxJunk: number | null;
  skipBad: boolean;
}

export const DEFAULTS: TokenizeForm = {
  model: '',
  folder: '',
  split: '',
  column: '',
  context: 512,
  mode: 'truncate',
  overlap: null,
  special: true,
  bos: 'auto',
  chat: false,
  minTokens: null,
  minChars: null,
  maxRows: null,
  cleanJunk: false,
  maxJunk: null,
  skipBad: false
};

/** The request; what stands at its default is left out, so that presets stay short. */
export function asSettings(form: TokenizeForm): TokenizeSettings {
  const settings: TokenizeSettings = {
    mode: form.mode,
    special_tokens: form.special,
    bos: form.bos,
    chat_template: form.chat
  };
  if (form.model !== '') {
    settings.model = form.model;
  } else {
    settings.tokenizer = form.folder.trim();
  }
  const optional: [keyof TokenizeSettings, unknown][] = [
    ['split', form.split || null],
    ['column', form.column || null],
    ['context', form.context],
    ['overlap', form.mode === 'chunk' ? form.overlap : null],
    ['min_tokens', form.minTokens],
    ['min_chars', form.minChars],
    ['max_rows', form.maxRows],
    ['junk', form.cleanJunk ? 'remove' : null],
    ['max_junk_share', form.maxJunk === null ? null : form.maxJunk / 100],
    ['bad_rows', form.skipBad ? 'skip' : null]
  ];
  for (const [name, value] of optional) {
    if (value !== null) {
      Object.assign(settings, { [name]: value });
    }
  }
  return settings;
}

/** What a preset keeps: how to tokenise, not what. */
export function asPreset(form: TokenizeForm): Partial<TokenizeSettings> {
  const { model: _m, tokenizer: _t, split: _s, column: _c, ...rest } = asSettings(form);
  return rest;
}

/** The form with a preset's settings in it; model, split and column stay. */
export function withPreset(form: TokenizeForm, preset: Partial<TokenizeSettings>): TokenizeForm {
  return {
    ...DEFAULTS,
    model: form.model,
    folder: form.folder,
    split: form.split,
    column: form.column,
    context: preset.context ?? null,
    mode: preset.mode ?? DEFAULTS.mode,
    overlap: preset.overlap ?? null,
    special: preset.special_tokens ?? true,
    bos: preset.bos ?? 'auto',
    chat: preset.chat_template ?? false,
    minTokens: preset.min_tokens ?? null,
    minChars: preset.min_chars ?? null,
    maxRows: preset.max_rows ?? null,
    cleanJunk: preset.junk === 'remove',
    maxJunk: preset.max_junk_share === undefined ? null : Math.round(preset.max_junk_share * 100),
    skipBad: preset.bad_rows === 'skip'
  };
}
