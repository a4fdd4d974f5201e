/** Requests of the dataset panels. */

import type { Api } from '../api';
import type { Dataset, Job, Turn } from '../types';
import type {
  Detection,
  Doomed,
  FileOptions,
  NearDuplicates,
  Preset,
  Preview,
  Statistics,
  Tokenization,
  TokenizeSettings
} from './types';

const part = encodeURIComponent;

/** Looks at a file, or at one that was uploaded; what is given of the options is not guessed. */
export function detect(
  api: Api,
  body: { path?: string; upload?: string; options?: Partial<FileOptions> },
  signal?: AbortSignal
): Promise<Detection> {
  return api.request('POST', 'datasets/detect', { body, signal });
}

export function statistics(
  api: Api,
  dataset: string,
  tokenization: string | null,
  signal?: AbortSignal
): Promise<Statistics> {
  return api.request('GET', `datasets/${part(dataset)}/statistics`, {
    query: { tokenization },
    signal
  });
}

/** Address of the statistics as a file. */
export function statisticsFile(
  api: Api,
  dataset: string,
  tokenization: string | null,
  format: 'json' | 'csv'
): string {
  return api.url(`datasets/${part(dataset)}/statistics/export`, { format, tokenization });
}

export function nearDuplicates(
  api: Api,
  dataset: string,
  signal?: AbortSignal
): Promise<NearDuplicates> {
  return api.request('GET', `datasets/${part(dataset)}/near-duplicates`, { signal });
}

export function seekNearDuplicates(api: Api, dataset: string): Promise<{ job: Job }> {
  const path = `datasets/${part(dataset)}/near-duplicates`;
  return api.request('POST', path, { body: {}, starts: true });
}

export async function tokenizations(
  api: Api,
  dataset: string,
  signal?: AbortSignal
): Promise<Tokenization[]> {
  const path = `datasets/${part(dataset)}/tokenizations`;
  return (await api.request<{ tokenizations: Tokenization[] }>('GET', path, { signal }))
    .tokenizations;
}

export function tokenize(
  api: Api,
  dataset: string,
  settings: TokenizeSettings
): Promise<{ tokenization: Tokenization; job: Job | null }> {
  const path = `datasets/${part(dataset)}/tokenizations`;
  return api.request('POST', path, { body: settings, starts: true });
}

export function removeTokenization(
  api: Api,
  dataset: string,
  id: string
): Promise<{ freed_bytes: number }> {
  return api.request('DELETE', `datasets/${part(dataset)}/tokenizations/${part(id)}`);
}

/** Writes a tokenization as a folder that `datasets` opens; it is there when the job is done. */
export function exportTokenization(
  api: Api,
  dataset: string,
  id: string,
  padding: 'max_length' | 'none'
): Promise<{ job: Job; path: string }> {
  const path = `datasets/${part(dataset)}/tokenizations/${part(id)}/export`;
  return api.request('POST', path, { body: { padding }, starts: true });
}

/** A text of one's own, a conversation, or a row of a dataset. */
export type PreviewOf =
  | { texts: (string | Turn[])[] }
  | { dataset: string; split: string; column: string; rows: number[] };

/** What the settings make of it, some of its contexts; the code is that of the real run. */
export function preview(
  api: Api,
  settings: TokenizeSettings,
  of: PreviewOf,
  contexts: { offset: number; limit: number },
  signal?: AbortSignal
): Promise<Preview> {
  const { max_rows: _rows, split: _split, column: _column, ...rest } = settings;
  return api.request('POST', 'tokenize-preview', { body: { ...rest, ...of, ...contexts }, signal });
}

export async function presets(api: Api, signal?: AbortSignal): Promise<Preset[]> {
  return (await api.request<{ presets: Preset[] }>('GET', 'tokenization-presets', { signal }))
    .presets;
}

export function savePreset(
  api: Api,
  name: string,
  settings: Partial<TokenizeSettings>
): Promise<Preset> {
  return api.request('POST', 'tokenization-presets', { body: { name, settings } });
}

export function changePreset(
  api: Api,
  id: string,
  part: Partial<Pick<Preset, 'name' | 'settings'>>
): Promise<Preset> {
  return api.request('PATCH', `tokenization-presets/${encodeURIComponent(id)}`, { body: part });
}

export function removePreset(api: Api, id: string): Promise<unknown> {
  return api.request('DELETE', `tokenization-presets/${part(id)}`);
}

export function rename(api: Api, dataset: string, name: string): Promise<Dataset> {
  return api.request('PATCH', `datasets/${part(dataset)}`, { body: { name } });
}

/** What would go, without deleting anything. */
export function doomed(api: Api, ids: string[], signal?: AbortSignal): Promise<Doomed> {
  return api.request('POST', 'datasets/delete', { body: { ids, dry_run: true }, signal });
}

export function removeMany(
  api: Api,
  ids: string[]
): Promise<{ deleted: string[]; freed_bytes: number; failed: Doomed['failed'] }> {
  return api.request('POST', 'datasets/delete', { body: { ids } });
}
