/** What the server says of repositories, files, statistics and tokenizations. */

import type { Job, Problem, RecordState } from '../types';

export interface HubSplit {
  name: string;
  n_rows: number | null;
  n_bytes: number | null;
  download_bytes: number | null;
}

export interface HubConfig {
  name: string;
  default: boolean;
  splits: HubSplit[];
  /** Null where they cannot be known yet, e.g. of a gated repository. */
  columns: { name: string; dtype: string }[] | null;
}

/** A repository on the Hub before anything of it is downloaded. */
export interface HubDataset {
  repo_id: string;
  gated: boolean | string;
  private: boolean;
  /** Whether the files may be read with the token that was sent. */
  accessible: boolean;
  license: string | null;
  revision: string;
  n_files: number;
  total_bytes: number;
  configs: HubConfig[];
}

/** How a file is to be read, as it was found or as a person corrected it. */
export interface FileOptions {
  format: string;
  encoding?: string;
  delimiter?: string;
  header?: boolean;
  quoting?: 'standard' | 'backslash' | 'none';
  types?: Record<string, 'text' | 'integer' | 'number'>;
  bad_rows?: 'stop' | 'skip' | 'keep';
}

export interface Detection {
  format: string;
  compression: string | null;
  bytes: number;
  columns: { name: string; kind: string }[];
  text_column: string | null;
  preview: Record<string, unknown>[];
  problems: { line: number; message: string }[];
  /** What a person may not expect of how the file is read. */
  notes: string[];
  options: FileOptions;
}

export interface Upload {
  id: string;
  name: string;
  size: number;
  offset: number;
  state: 'receiving' | 'complete';
  detection: Detection | null;
  problem: Problem | null;
}

export interface Lengths {
  total: number;
  min: number;
  max: number;
  mean: number;
  median: number;
  std: number;
  percentiles: Record<string, number>;
  histogram: { edges: number[]; counts: number[] };
}

export interface Counted {
  word?: string;
  text?: string;
  id?: number;
  count: number;
  rows?: number;
}

/** One split by words, or one tokenization by tokens. */
export interface SplitStatistics {
  name?: string;
  n_samples: number;
  n_bytes?: number;
  empty?: number;
  duplicates?: number;
  words?: Lengths;
  characters?: Lengths;
  unique_words?: number;
  top_words?: Counted[];
  rare_words?: Counted[];
}

export interface DatasetStatistics {
  kind: 'dataset';
  n_samples: number;
  n_bytes: number;
  splits: SplitStatistics[];
}

export interface TokenStatistics {
  kind: 'tokenization';
  n_samples: number;
  n_tokens: number;
  bytes: number;
  lengths: Lengths;
  vocabulary: { size: number; used: number; share: number; once: number };
  special_tokens: Counted[];
  top_tokens: Counted[];
  rare_tokens: Counted[];
}

export type Statistics = DatasetStatistics | TokenStatistics;

/** The settings of a tokenization, as a request carries them. */
export interface TokenizeSettings {
  model?: string;
  tokenizer?: string;
  split?: string;
  column?: string;
  context?: number;
  mode: 'truncate' | 'chunk' | 'pack';
  overlap?: number;
  special_tokens: boolean;
  bos: 'auto' | 'each' | 'first' | 'none';
  chat_template: boolean;
  min_tokens?: number;
  min_chars?: number;
  max_rows?: number;
  junk?: 'keep' | 'remove';
  max_junk_share?: number;
  bad_rows?: 'stop' | 'skip';
}

export interface Tokenization {
  id: string;
  dataset_id: string;
  model_id: string | null;
  tokenizer?: { path: string } | null;
  split: string;
  settings: Partial<TokenizeSettings>;
  state: RecordState;
  error: Problem | null;
  n_samples: number | null;
  n_tokens: number | null;
  n_rows: number | null;
  skipped: Record<string, unknown>;
  bytes: number | null;
  job_id: string | null;
  created_at: string;
}

export interface Preset {
  id: string;
  name: string;
  settings: Partial<TokenizeSettings>;
}

export interface PreviewToken {
  id: number;
  text: string;
  special: boolean;
}

export interface Preview {
  /** As they were tokenised: conversations written out, junk taken away. */
  texts: string[];
  contexts: { row: number; start: number; tokens: PreviewToken[] }[];
  n_contexts: number;
  n_tokens: number;
  skipped: Record<string, number>;
}

/** What deleting would take along. */
export interface Doomed {
  items: { kind: string; id: string; name: string; bytes: number }[];
  extractions: { id: string; name: string }[];
  freed_bytes: number;
  failed: { id: string; code: string; message: string; hint?: string | null }[];
}

export interface NearDuplicates {
  state: 'none' | 'running' | 'ready' | 'failed';
  job: Job | null;
  threshold: number;
  splits: {
    name: string;
    n_rows: number;
    groups: number;
    duplicates: number;
    share: number;
    examples: number[][];
  }[];
}
