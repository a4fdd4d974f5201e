/** What the monitor tells, as `openapi.yaml` describes it. */

import type { Device } from '../types';

/** What the machine does now: the payload of `system/monitor`. */
export interface Measured {
  at: string;
  devices: Device[];
  disk: { path: string; total: number; free: number };
}

export interface DeviceSample {
  utilization: number | null;
  memory_used: number | null;
  temperature: number | null;
  power_w: number | null;
}

export interface Sample {
  at: string;
  disk_free: number;
  devices: Record<string, DeviceSample>;
}

export interface History {
  interval_s: number;
  samples: Sample[];
}

export interface StorageItem {
  id: string;
  name: string;
  bytes: number;
  /** The dataset of a tokenization. */
  parent?: string;
}

export interface StorageCategory {
  name: string;
  bytes: number;
  /** What several items use together; part of the bytes. */
  shared: number;
  items: StorageItem[];
}

export interface Storage {
  path: string;
  free: number;
  reserve: number;
  quota: number | null;
  used: number;
  categories: StorageCategory[];
  /** The Hub's cache, and what of it is counted above. */
  hub_cache: { path: string; bytes: number; counted: number };
}
