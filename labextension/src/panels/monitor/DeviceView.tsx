import { usePanel } from '../context';
import { bytes, duration, percent, secondsBetween } from '../lib/format';
import { t } from '../messages';
import type { MessageKey } from '../messages';
import type { Device, DeviceLease, DeviceProcess } from '../types';
import { Section } from '../ui/Section';
import { keyOf } from './feed';
import { Sparkline } from './Sparkline';
import type { Point } from './Sparkline';
import type { DeviceSample } from './types';

/** Bytes that a GPU's driver may take for itself. */
const DRIVERS_OWN = 1e9;

/** A processor or GPU: its load and memory over the last minutes, and who uses it. */
export function DeviceView({ device }: { device: Device }) {
  const { store } = usePanel();
  const samples = store.monitor.samples.value;
  const key = keyOf(device);
  const points = (read: (sample: DeviceSample) => number | null): Point[] =>
    samples.map(({ at, devices }) => [at, devices[key] ? read(devices[key]) : null]);
  const total = device.memory_total ?? null;
  return (
    <Section title={device.name} aside={device.id}>
      <div
        class="jp-mistudio-sparks"
        data-testid={`mistudio-device-${device.id}`}
        hidden={device.utilization == null && total === null}
      >
        {device.utilization != null && (
          <Sparkline
            title={t('monitor.load')}
            value={percent(device.utilization)}
            points={points(sample => sample.utilization)}
          />
        )}
        {total !== null && (
          <Sparkline
            title={t('monitor.memory')}
            value={t('monitor.of', { used: bytes(device.memory_used), total: bytes(total) })}
            points={points(({ memory_used }) =>
              memory_used === null ? null : memory_used / total
            )}
          />
        )}
      </div>
      <Facts device={device} />
      <Holders device={device} />
    </Section>
  );
}

function Facts({ device }: { device: Device }) {
  const { cores, temperature, power_w: power, power_limit_w: limit } = device;
  const heat = [
    temperature && t('monitor.temperature', { n: temperature }),
    power && !limit && t('monitor.power', { n: Math.round(power) }),
    power && limit && t('monitor.powerOf', { n: Math.round(power), limit: Math.round(limit) })
  ].filter(Boolean);
  const card = heat.join(' · ');
  const facts = [
    cores && t(cores === 1 ? 'monitor.core' : 'monitor.cores', { n: cores }),
    device.parent && card ? t('monitor.card', { facts: card }) : card,
    device.utilization == null && t('monitor.noLoad'),
    device.memory_total == null && t('monitor.noMemory')
  ].filter(Boolean);
  return facts.length > 0 ? <div class="jp-mistudio-row-meta">{facts.join(' · ')}</div> : null;
}

function Holders({ device }: { device: Device }) {
  const processes = device.processes ?? [];
  const shown = new Set(processes.map(process => process.job?.id));
  // A job of ours that runs stands there as a process already, with its memory.
  const leases = (device.leases ?? []).filter(({ job }) => !job || !shown.has(job.id));
  if (leases.length + processes.length === 0) {
    const said = device.kind === 'gpu' && unnamed(device);
    return said ? <p class="jp-mistudio-hint">{t(said)}</p> : null;
  }
  return (
    <ul class="jp-mistudio-holders" aria-label={t('monitor.holders', { name: device.name })}>
      {leases.map(lease => (
        <li key={`${lease.user}/${lease.job?.id}/${lease.since}`}>
          <span>
            {lease.user}
            <span class="jp-mistudio-aside"> {whatOf(lease)}</span>
          </span>
          <span class="jp-mistudio-aside">{stateOf(lease)}</span>
        </li>
      ))}
      {processes.map(process => (
        <li key={process.pid}>
          <span>
            {nameOf(process)}
            <span class="jp-mistudio-aside"> {process.user ?? ''}</span>
          </span>
          <span class="jp-mistudio-aside">{bytes(process.memory)}</span>
        </li>
      ))}
    </ul>
  );
}

/** What can be said where nobody is named: a container is not told of other containers' processes. */
function unnamed({ utilization, memory_used }: Device): MessageKey | null {
  if (utilization == null && memory_used == null) {
    return null;
  }
  const idle = (utilization ?? 0) < 0.05 && (memory_used ?? 0) < DRIVERS_OWN;
  return idle ? 'monitor.free' : 'monitor.unnamed';
}

/** What a lease is for; of another server's job only the id is known, which tells nobody anything. */
function whatOf({ job }: DeviceLease): string {
  if (!job) {
    return t('monitor.worker');
  }
  return job.name === job.id ? t('monitor.aJob') : job.name;
}

function stateOf({ waiting, idle, since }: DeviceLease): string {
  const time = duration(Math.max(0, secondsBetween(since, new Date().toISOString()) ?? 0));
  if (waiting) {
    return t('monitor.waits', { time });
  }
  return idle ? t('monitor.idle') : t('monitor.leases', { time });
}

function nameOf(process: DeviceProcess): string {
  return process.job?.name ?? process.program ?? t('monitor.process', { pid: process.pid });
}
