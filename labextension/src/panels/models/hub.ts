/** What the Hub says about a model, and what its formats take on this machine. */

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

/** The format to begin with: the recommended one, else the smallest. */
export function firstFormat(model: HubModel): string {
  const recommended = model.formats.find(row => row.recommended)?.format;
  return recommended ?? model.recommendation?.format ?? model.formats.at(-1)?.format ?? 'fp32';
}

/** The repository comes with Python code of its own (`auto_map` in its config). */
export function hasOwnCode(model: HubModel): boolean {
  return model.config['auto_map'] !== undefined;
}

/** Whether the disk has room for the download above what stays reserved. */
export function diskHasRoom(model: HubModel): boolean {
  return !model.disk || model.download_bytes <= model.disk.free - model.disk.reserve;
}
