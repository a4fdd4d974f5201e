/** Records of the REST interface, as `openapi.yaml` describes them. */

import type { FileOptions } from './datasets/types';

export type RecordState = 'pending' | 'ready' | 'failed';
export type JobState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled' | 'interrupted';

export interface Problem {
  code: string;
  message: string;
  hint?: string | null;
  remedies?: Remedy[];
}

/**
 * What would mend a failed job: other values for fields of its request, a field whose value is asked
 * for, or, without either, something that only a person can do.
 */
export interface Remedy {
  label: string;
  change?: Record<string, unknown>;
  ask?: string;
}

/** With what a failed job is tried again. */
export interface Mended {
  change?: Record<string, unknown>;
  /** Of the Hub; kept nowhere. */
  token?: string;
}

export interface Notice {
  code: string;
  message: string;
  field?: string | null;
  hint?: string | null;
}

export interface Split {
  name: string;
  n_rows: number;
  n_bytes: number;
}

export interface Dataset {
  id: string;
  name: string;
  source: 'hub' | 'path' | 'sample' | 'upload';
  state: RecordState;
  error: Problem | null;
  repo_id: string | null;
  config: string | null;
  revision: string | null;
  source_path: string | null;
  splits: Split[];
  columns: { name: string; dtype: string }[];
  text_column: string | null;
  /** How the files were read, as far as that is the same for all of them. */
  options?: Partial<FileOptions> | null;
  n_rows: number | null;
  n_bytes: number | null;
  created_at: string;
  updated_at: string;
  job_id: string | null;
  /** What of the request has no effect; only in the answer to it. */
  notices?: Notice[];
}

export interface Model {
  id: string;
  name: string;
  source: 'hub' | 'path' | 'sample';
  state: RecordState;
  error: Problem | null;
  repo_id: string | null;
  revision: string | null;
  path: string | null;
  source_path: string | null;
  format: string;
  family: string | null;
  n_params: number | null;
  n_layers: number | null;
  d_model: number | null;
  vocab_size: number | null;
  context: number | null;
  size_bytes: number | null;
  /** Of the files; another one after they changed. */
  fingerprint?: string | null;
  created_at: string;
  updated_at: string;
  job_id: string | null;
  /** What of the request has no effect; only in the answer to it. */
  notices?: Notice[];
  /** The model whose files a variant shares. */
  parent_id?: string | null;
  /** What was asked for; differs from `format` after a fall-back. */
  requested_format?: string | null;
  fallback_reason?: string | null;
  measured?: Measured | null;
}

/** What was measured when a format was made, on this machine. */
export interface Measured {
  size_bytes?: number | null;
  memory_bytes?: number | null;
  tokens_per_second?: number | null;
  device?: string | null;
  /** Of the residual stream in the layer where it is largest, against the reference format. */
  relative_error?: number | null;
  relative_error_by_layer?: number[] | null;
}

/** What deleting a model would touch. */
export interface ModelDependents {
  extractions: { id: string; name: string; bytes?: number | null }[];
  tokenizations: number;
  variants: { id: string; name: string }[];
  frees_bytes: number;
  in_use: string | null;
}

export interface TokenizerFacts {
  class: string;
  vocab_size: number | null;
  model_max_length: number | null;
  special_tokens: { id: number; text: string; role: string | null }[];
  chat_template: string | null;
  fast: boolean;
}

export interface TreeNode {
  name: string;
  class: string;
  params: number;
  share: number;
  shape?: number[] | null;
  children?: TreeNode[];
}

export interface HookPoint {
  name: string;
  short: string;
  layer: number | null;
  d: number;
  module?: string;
  verified?: boolean;
  max_error?: number | null;
}

export interface Architecture {
  id?: string;
  name?: string;
  format?: string;
  model_type: string;
  class_name: string;
  kind: string;
  n_layers: number;
  d_model: number;
  d_mlp?: number | null;
  n_heads?: number | null;
  n_kv_heads?: number | null;
  head_dim?: number | null;
  attention?: string | null;
  parallel?: boolean | null;
  vocab_size?: number | null;
  context?: number | null;
  /** Longest input that the model can read at all; null where positions are computed. */
  positions?: number | null;
  positional?: string | null;
  norm?: string | null;
  activation?: string | null;
  tied?: boolean | null;
  n_params?: number | null;
  size_bytes?: number | null;
  dtype?: string | null;
  experts?: Record<string, unknown> | null;
  active_params?: number | null;
  sliding_window?: number | null;
  /** How a block is built, as tracing found it. */
  block?: {
    form?: 'serial' | 'parallel' | 'single' | 'opaque';
    norm?: 'pre' | 'sandwich' | 'branch' | 'stream' | 'none';
    shared_norm?: boolean;
    mixer?: string | null;
  } | null;
  /** What each layer is, where they differ. */
  layer_kinds?: string[] | null;
  /** What can be extracted, in a sentence. */
  extractable?: string | null;
  tree?: TreeNode[];
  hooks: HookPoint[];
  unavailable: { short: string; reason: string }[];
  /** Facts that could not be found, and why. */
  unknown?: { fact: string; reason: string }[];
  warnings?: Notice[];
  checks?: { name: string; max_error: number | null; passed: boolean }[];
  config?: Record<string, unknown>;
}

export interface HookStatistics {
  mean: number | null;
  std: number | null;
  mean_norm: number | null;
  max_abs: number | null;
  sparsity: number | null;
  sparsity_threshold?: number | null;
  non_finite: number | null;
}

export interface ArrayFile {
  hook?: string | null;
  shape: number[];
  dtype: string;
  bytes: number;
  checksum?: string | null;
  statistics?: HookStatistics | null;
}

export interface ExtractionSettings {
  layers?: number[] | null;
  hooks?: string[];
  layout?: string;
  positions?: string;
  dtype?: string;
  context?: number | null;
  max_samples?: number | null;
  [key: string]: unknown;
}

export interface Extraction {
  id: string;
  name: string;
  state: JobState;
  error: Problem | null;
  model_id: string | null;
  model: string | null;
  dataset_id: string | null;
  dataset: string | null;
  split: string | null;
  spec: ExtractionSettings;
  n_samples: number | null;
  n_tokens: number | null;
  ready: number | null;
  total: number | null;
  unit: string | null;
  bytes: number | null;
  path: string | null;
  job_id: string | null;
  created_at: string;
  updated_at: string;
  warnings: Notice[];
  /** What of the request has no effect; only in the answer to it. */
  notices?: Notice[];
}

/** Which number of each token: an element of a hook's vectors, or their norm. */
export interface ValueQuery {
  hook: string;
  dimension: number | null;
}

/** What is searched or projected. */
export interface RowsQuery extends ValueQuery {
  /** 1 leaves out the first token of each sample. */
  skip_first: 0 | 1;
}

export interface TokensQuery extends ValueQuery {
  sample: number;
  position: number | null;
}

/** A number of each token; null where it is not finite. */
export type Values = (number | null)[];

export interface SampleValues {
  hook: string;
  dimension: number | null;
  width: number;
  positions: 'all' | 'last' | 'mean';
  sample: number;
  n_samples: number;
  row: number;
  start: number;
  ids: number[];
  texts: string[] | null;
  values: Values;
  /** Dimension, value, and distance from the sample's mean in standard deviations. */
  stands_out: [dimension: number, value: number, z: number][] | null;
}

export interface TopSample {
  sample: number;
  position: number;
  value: number;
  row: number;
  first: number;
  texts: string[] | null;
}

export interface Ranking {
  read: number;
  total: number;
  top: TopSample[];
}

export interface Projection {
  hook: string;
  dimension: number | null;
  of: number;
  explained: [number, number];
  x: Values;
  y: Values;
  values: Values;
  samples: number[];
  positions: number[];
  texts: string[] | null;
}

/** An extraction's `manifest.json`, as far as the panels read it. */
export interface Manifest {
  files?: Record<string, ArrayFile>;
  timings?: { tokens_per_s?: number | null; total_s?: number | null } | null;
  versions?: Record<string, string> | null;
}

export interface Job {
  id: string;
  kind: string;
  state: JobState;
  progress: number | null;
  done: number | null;
  total: number | null;
  unit: string | null;
  rate: number | null;
  eta_s: number | null;
  message: string | null;
  phase?: string | null;
  error: Problem | null;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
  depends_on?: string[];
  queue_position?: number | null;
  /** A higher one starts first. */
  priority?: number;
  /** What a running one holds. */
  device?: string | null;
  /** Cancelling was asked for; the worker has not ended yet. */
  cancelling?: boolean;
  warnings?: Notice[];
  target: { type: string; id: string; name: string } | null;
}

export interface LogPart {
  text: string;
  /** There is more above; where an offset was asked for: the log was cut, this is all of it. */
  truncated: boolean;
  next_offset: number;
}

export interface Estimate {
  n_samples: number | null;
  n_tokens: number | null;
  exact: boolean;
  bytes: number | null;
  seconds: number | null;
  device_memory_bytes: number | null;
  disk_free_bytes: number | null;
  tokens_per_second: number | null;
  /** The speed is that of earlier runs of the model here. */
  measured?: boolean;
  warnings: Notice[];
}

export interface Device {
  id: string;
  name: string;
  kind: string;
  memory_total?: number | null;
  memory_used?: number | null;
  utilization?: number | null;
  holder?: string | null;
  uuid?: string | null;
  /** The GPU of a slice (MIG). */
  parent?: string | null;
  cores?: number | null;
  temperature?: number | null;
  power_w?: number | null;
  power_limit_w?: number | null;
  processes?: DeviceProcess[];
  leases?: DeviceLease[];
}

/** A process on a device, as far as it may be known. */
export interface DeviceProcess {
  pid: number;
  memory: number | null;
  user: string | null;
  program: string | null;
  job: { id: string; name: string } | null;
}

/** Who holds a device, or waits for it. */
export interface DeviceLease {
  user: string;
  job: { id: string; name: string } | null;
  since: string;
  waiting: boolean;
  /** A warm worker without a job: it leaves when somebody needs the device. */
  idle: boolean;
}

export interface System {
  version: string;
  devices: Device[];
  disk?: { path: string; total: number; free: number; used_by_mistudio?: number } | null;
  memory?: { total: number; available: number } | null;
  sample?: { dataset: string; model: string } | null;
  capabilities?: { gpu?: boolean; remote_code?: boolean } | null;
}

export interface Sample {
  index: number;
  split?: string;
  text: string;
  n_tokens?: number | null;
  /** What a search found, as [start, end] in code points. */
  highlights?: [number, number][] | null;
  /** A chat-style column as its turns. */
  turns?: Turn[] | null;
  /** Further columns that were asked for. */
  columns?: Record<string, unknown> | null;
}

/** A turn of a chat: what it says as text, and whatever else it has. */
export interface Turn {
  role: string;
  content: string;
  [key: string]: unknown;
}

export interface SamplePage {
  total: number;
  /** False if there may be more than `total`, which only a quick count leaves open. */
  total_exact?: boolean;
  offset?: number;
  samples: Sample[];
  /** How a search was done: not complete while the index is being made. */
  searched?: {
    /** The query as it was understood. */
    read_as?: string | null;
    complete: boolean;
    indexed: number;
    n_rows: number;
  } | null;
}

export interface DatasetRequest {
  source: 'sample' | 'path' | 'hub' | 'upload';
  path?: string;
  upload?: string;
  options?: object;
  splits?: string[];
  columns?: string[];
  repo_id?: string;
  config?: string;
  revision?: string;
  split?: string;
  text_column?: string;
  name?: string;
  max_rows?: number;
  token?: string;
}

export interface ModelRequest {
  source: 'sample' | 'path' | 'hub';
  path?: string;
  repo_id?: string;
  revision?: string;
  format?: string;
  name?: string;
  token?: string;
  trust_remote_code?: boolean;
}

/** What became of deleting several records. */
export interface DeletedMany {
  deleted: string[];
  failed: { id: string; code: string; message: string }[];
  freed_bytes: number;
}

export interface ExtractionRequest {
  model: string;
  dataset: string;
  split?: string;
  layers?: number[] | null;
  hooks: string[];
  layout?: string;
  positions?: string;
  dtype?: string;
  context?: number;
  mode?: string;
  max_samples?: number;
  batch_tokens?: number;
  device?: string;
  name?: string;
}

export type HubKind = 'datasets' | 'models';

/** A repository as the Hub's search gives it. */
export interface HubResult {
  repo_id: string;
  downloads: number;
  likes: number;
  /** false, or how access is given: "auto" or "manual". */
  gated: false | string;
  private: boolean;
  updated_at: string | null;
  tags: string[];
  pipeline_tag: string | null;
}
