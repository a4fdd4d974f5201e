/** The machine's last minutes: read once, then kept up to date by events. */

import { signal } from '@preact/signals';
import type { Api } from '../api';
import type { Device } from '../types';
import type { History, Measured, Sample } from './types';

/** Samples that are kept: ten minutes at one every two seconds. */
const KEPT = 300;

/** The key of a device in the history. */
export function keyOf(device: Device): string {
  return device.uuid ?? device.id;
}

export class MonitorFeed {
  readonly now = signal<Measured | null>(null);
  readonly samples = signal<readonly Sample[]>([]);

  constructor(private readonly api: Api) {}

  /** Takes what an event tells. */
  take(measured: Measured): void {
    this.now.value = measured;
    this.samples.value = [...this.samples.peek(), sampleOf(measured)].slice(-KEPT);
  }

  /** Reads what happened before this page listened. */
  async load(): Promise<void> {
    const { samples } = await this.api.request<History>('GET', 'system/history');
    const last = samples[samples.length - 1]?.at ?? '';
    const later = this.samples.peek().filter(sample => sample.at > last);
    this.samples.value = [...samples, ...later].slice(-KEPT);
  }
}

function sampleOf({ at, disk, devices }: Measured): Sample {
  return {
    at,
    disk_free: disk.free,
    devices: Object.fromEntries(
      devices.map(device => [
        keyOf(device),
        {
          utilization: device.utilization ?? null,
          memory_used: device.memory_used ?? null,
          temperature: device.temperature ?? null,
          power_w: device.power_w ?? null
        }
      ])
    )
  };
}
