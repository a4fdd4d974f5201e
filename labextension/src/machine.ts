import type { TranslationBundle } from '@jupyterlab/translation';

/** A device as events tell it, as far as the status bar needs it. */
export interface IDevice {
  kind: string;
  memory_used?: number | null;
  memory_total?: number | null;
}

/** A job as events tell it, as far as the status bar needs it. */
export interface IJob {
  id: string;
  state: string;
}

/** "2 jobs · GPU 12.3 / 80 GB": the GPUs' memory together, or the machine's where there is none. */
export function statusText(
  jobs: readonly IJob[],
  devices: readonly IDevice[],
  trans: TranslationBundle
): string {
  const parts: string[] = [];
  const running = jobs.filter(job => job.state === 'running').length;
  const queued = jobs.filter(job => job.state === 'queued').length;
  if (running > 0) {
    parts.push(trans._n('%1 job', '%1 jobs', running));
  }
  if (queued > 0) {
    parts.push(trans.__('%1 waiting', queued));
  }
  const known = devices.filter(device => (device.memory_total ?? 0) > 0);
  const gpus = known.filter(device => device.kind === 'gpu');
  const shown = gpus.length > 0 ? gpus : known;
  if (shown.length > 0) {
    const sum = (read: (device: IDevice) => number | null | undefined): number =>
      shown.reduce((total, device) => total + (read(device) ?? 0), 0) / 1e9;
    const used = sum(device => device.memory_used);
    const total = sum(device => device.memory_total);
    const name = gpus.length > 0 ? trans.__('GPU') : trans.__('RAM');
    parts.push(`${name} ${rounded(used)} / ${rounded(total)} GB`);
  }
  return parts.join(' · ');
}

function rounded(gigabytes: number): string {
  return gigabytes < 99.5
    ? String(Number(gigabytes.toPrecision(2)))
    : String(Math.round(gigabytes));
}
