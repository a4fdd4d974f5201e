import { bytes, compact, duration, integer } from '../lib/format';
import { t } from '../messages';
import type { Estimate } from '../types';
import { WarningNote } from '../ui/ErrorNote';
import type { Fact } from '../ui/Facts';
import { Facts } from '../ui/Facts';

/** What an extraction will take, before it is started. */
export function EstimateView({ estimate, stale }: { estimate: Estimate | null; stale: boolean }) {
  if (!estimate) {
    return (
      <div class="jp-mistudio-loading" role="status">
        {stale ? t('estimate.working') : ''}
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
    facts.push([
      t('estimate.speed'),
      t('estimate.speed.value', { n: compact(estimate.tokens_per_second) })
    ]);
  }
  return (
    <div
      class={stale ? 'jp-mistudio-mod-stale' : undefined}
      role="status"
      aria-busy={stale}
      data-testid="mistudio-estimate"
    >
      <Facts facts={facts} label={t('estimate.title')} />
      {estimate.warnings.map(warning => (
        <WarningNote key={warning.code} message={warning.message} />
      ))}
    </div>
  );
}
