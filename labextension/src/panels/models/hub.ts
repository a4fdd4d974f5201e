/** What the Hub says about a model, and what its formats take on this machine. */

import { t } from '../messages';
import type { Device } from '../types';

/** Numbers by kind of device: "cpu", "gpu". */
type ByKind = Readonly<Record<string, number>>;

export interface FormatEstimate {
  format: string;
  download_bytes: number;
  /** What lies on the disk in the end; older servers say only what is downloaded. */
  disk_bytes?: number | null;
  memory_bytes: ByKind;
  extraction_bytes?: ByKind | null;
  /** By device: whether it fits with room for activations. */
  fits: Readonly<Record<string, boolean>>;
  recommended: boolean;
  /** The dtype that it computes in. */
  computes_in?: Readonly<Record<string, string>>;
  /** Why this model or this machine cannot have it. */
  unavailable?: string | null;
  warning?: string | null;
}

export interface HubModel {
  repo_id: string;
  revision: string | null;
  license: string | null;
  gated: false | string;
  private: boolean;
  accessible: boolean;
  n_params: number | null;
  n_files: number;
  total_bytes: number;
  download_bytes: number;
  config: Record<string, unknown>;
  disk?: { free: number; reserve: number } | null;
  formats: FormatEstimate[];
  recommendation: { format: string; device: string } | null;
  warning: string | null;
}

export type Verdict = 'yes' | 'tight' | 'no' | 'unknown';

/** Bytes that a device has free, or null where it does not say. */
export function freeBytes(device: Device | undefined): number | null {
  return device?.memory_total ? device.memory_total - (device.memory_used ?? 0) : null;
}

/** What is compared with the device: the whole extraction where the server estimates it. */
export function neededBytes(row: FormatEstimate, kind: string): number | null {
  return row.extraction_bytes?.[kind] ?? row.memory_bytes[kind] ?? null;
}

/** Whether a format fits a device; "tight" is in by the numbers, without room to spare. */
export function verdict(row: FormatEstimate, device: Device | undefined): Verdict {
  if (!device) {
    return 'unknown';
  }
  if (row.fits[device.id]) {
    return 'yes';
  }
  const [need, free] = [neededBytes(row, device.kind), freeBytes(device)];
  if (need === null || free === null) {
    return 'unknown';
  }
  return need <= free ? 'tight' : 'no';
}

/** The format to begin with: the recommended one, else the smallest that there can be. */
export function firstFormat(model: HubModel): string {
  const recommended = model.formats.find(row => row.recommended)?.format;
  const possible = model.formats.filter(row => !row.unavailable);
  return recommended ?? model.recommendation?.format ?? possible.at(-1)?.format ?? 'fp32';
}

/** How its publisher quantised a model, as the config says; null where it is in full precision. */
export function publishedAs(config: Record<string, unknown> | undefined): string | null {
  const inner = config?.['text_config'] as Record<string, unknown> | undefined;
  const found = config?.['quantization_config'] ?? inner?.['quantization_config'];
  if (typeof found !== 'object' || found === null || Object.keys(found).length === 0) {
    return null;
  }
  const facts = found as Record<string, unknown>;
  const bits = facts['bits'] ?? (facts['load_in_4bit'] ? 4 : facts['load_in_8bit'] ? 8 : undefined);
  const method = String(facts['quant_method'] ?? 'quantized');
  return bits === undefined ? method : t('format.published.bits', { method, bits: String(bits) });
}

/** The repository comes with Python code of its own (`auto_map` in its config). */
export function hasOwnCode(model: HubModel): boolean {
  return model.config['auto_map'] !== undefined;
}

/** Whether the disk has room for the download above what stays reserved. */
export function diskHasRoom(model: HubModel): boolean {
  return !model.disk || model.download_bytes <= model.disk.free - model.disk.reserve;
}
