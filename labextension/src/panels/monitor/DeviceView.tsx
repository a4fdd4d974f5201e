import { usePanel } from '../context';
import { bytes, percent } from '../lib/format';
import { t } from '../messages';
import type { MessageKey } from '../messages';
import type { Device, DeviceLease, DeviceProcess } from '../types';
import { Section } from '../ui/Section';
import { keyOf } from './feed';
import { Sparkline } from './Sparkline';
import type { Point } from './Sparkline';
import type { DeviceSample } from './types';

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
      <div class="jp-mistudio-sparks" data-testid={`mistudio-device-${device.id}`}>
        {device.utilization !== null && (
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
  const facts = [
    device.cores && t(device.cores === 1 ? 'monitor.core' : 'monitor.cores', { n: device.cores }),
    device.temperature && t('monitor.temperature', { n: device.temperature }),
    device.power_w &&
      (device.power_limit_w
        ? t('monitor.powerOf', {
            n: Math.round(device.power_w),
            limit: Math.round(device.power_limit_w)
          })
        : t('monitor.power', { n: Math.round(device.power_w) })),
    device.kind === 'gpu' && device.utilization === null && t('monitor.noLoad')
  ].filter(Boolean);
  return facts.length > 0 ? <div class="jp-mistudio-row-meta">{facts.join(' · ')}</div> : null;
}

function Holders({ device }: { device: Device }) {
  const processes = device.processes ?? [];
  const shown = new Set(processes.map(process => process.job?.id));
  // A job of ours that runs stands there as a process already, with its memory.
  const leases = (device.leases ?? []).filter(({ job }) => !job || !shown.has(job.id));
  if (leases.length + processes.length === 0) {
    return device.kind === 'gpu' ? <p class="jp-mistudio-hint">{t('monitor.free')}</p> : null;
  }
  return (
    <ul class="jp-mistudio-holders" aria-label={t('monitor.holders', { name: device.name })}>
      {leases.map(lease => (
        <li key={`${lease.user}/${lease.job?.id}/${lease.since}`}>
          <span>
            {lease.job?.name ?? t('monitor.worker')}
            <span class="jp-mistudio-aside"> {lease.user}</span>
          </span>
          <span class="jp-mistudio-aside">{t(stateOf(lease))}</span>
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

function stateOf({ waiting, idle }: DeviceLease): MessageKey {
  if (waiting) {
    return 'monitor.waits';
  }
  return idle ? 'monitor.idle' : 'monitor.leases';
}

function nameOf(process: DeviceProcess): string {
  return process.job?.name ?? process.program ?? t('monitor.process', { pid: process.pid });
}
