import { bytes, compact, duration, integer } from '../lib/format';
import { count, t } from '../messages';
import type { Estimate } from '../types';
import { WarningNote } from '../ui/ErrorNote';
import type { Fact } from '../ui/Facts';
import { Facts } from '../ui/Facts';

/** Warnings about these are shown at the control. */
export const NOTED: readonly string[] = ['dtype', 'context', 'layout', 'positions'];

/** What an extraction will take, before it is started. */
export function EstimateView({ estimate, stale }: { estimate: Estimate | null; stale: boolean }) {
  if (!estimate) {
    return (
      <div class="jp-mistudio-loading" role="status">
        {t('estimate.working')}
      </div>
    );
  }
  const about = (text: string): string =>
    estimate.exact ? text : t('estimate.about', { value: text });
  const facts: Fact[] = [
    [t('estimate.tokens'), about(integer(estimate.n_tokens))],
    [t('estimate.samples'), about(integer(estimate.n_samples))],
    [t('estimate.bytes'), about(bytes(estimate.bytes))],
    [
      t('estimate.time'),
      estimate.seconds === null
        ? t('estimate.unknown')
        : t('estimate.about', { value: duration(estimate.seconds) })
    ],
    [t('estimate.free'), bytes(estimate.disk_free_bytes)]
  ];
  if (estimate.device_memory_bytes) {
    facts.push([t('estimate.memory'), bytes(estimate.device_memory_bytes)]);
  }
  if (estimate.tokens_per_second) {
    const speed = t('estimate.speed.value', { n: compact(estimate.tokens_per_second) });
    facts.push([
      t('estimate.speed'),
      estimate.measured ? t('estimate.measured', { speed }) : t('estimate.about', { value: speed })
    ]);
  }
  return (
    <div
      class={stale ? 'jp-mistudio-estimate jp-mistudio-mod-stale' : 'jp-mistudio-estimate'}
      aria-busy={stale}
      data-testid="mistudio-estimate"
    >
      <Facts facts={facts} label={t('estimate.title')} />
      {estimate.warnings
        .filter(warning => !warning.field || !NOTED.includes(warning.field))
        .map(warning => (
          <WarningNote key={warning.code} message={warning.message} />
        ))}
    </div>
  );
}

/** The estimate in one line. */
export function summary(estimate: Estimate | null): string {
  if (!estimate) {
    return '';
  }
  const parts = [
    estimate.n_tokens === null ? '' : count(estimate.n_tokens, 'token', compact(estimate.n_tokens)),
    estimate.bytes === null ? '' : bytes(estimate.bytes),
    estimate.seconds === null ? '' : duration(estimate.seconds)
  ];
  return t('estimate.about', { value: parts.filter(Boolean).join(' · ') });
}
