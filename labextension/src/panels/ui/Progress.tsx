import { bytes, compact, duration, integer, percent } from '../lib/format';
import { t, tData } from '../messages';

interface Props {
  label: string;
  done: number | null;
  total: number | null;
  unit?: string | null;
  /** 0..1 where it is not done/total. */
  progress?: number | null;
  rate?: number | null;
  eta?: number | null;
  message?: string | null;
}

/** A progress bar with what is done, how fast, and the time left. */
export function Progress(props: Props) {
  const share =
    props.progress ?? (props.total && props.done !== null ? props.done / props.total : null);
  const inBytes = props.unit === 'bytes';
  const unit = inBytes || !props.unit ? '' : tData('unit', props.unit);
  const amount = inBytes ? bytes : integer;
  const bits: string[] = [];
  if (props.done !== null && props.total) {
    bits.push(
      t('progress.of', { done: amount(props.done), total: amount(props.total), unit }).trim()
    );
  } else if (props.done) {
    bits.push(`${amount(props.done)} ${unit}`.trim());
  }
  if (props.rate) {
    const rate = inBytes ? bytes(props.rate) : compact(props.rate);
    bits.push(t('progress.rate', { rate, unit }).replace(' /s', '/s'));
  }
  if (props.eta !== null && props.eta !== undefined) {
    bits.push(t('progress.left', { time: duration(props.eta) }));
  }
  // Quarters are worth saying; every percent is not.
  const quarter = share === null ? 0 : Math.floor(share * 4) * 25;
  const value = share === null ? undefined : Math.round(Math.min(1, Math.max(0, share)) * 100);
  return (
    <div class="jp-mistudio-progress">
      <div
        class={`jp-mistudio-bar${value === undefined ? ' jp-mistudio-mod-unknown' : ''}`}
        role="progressbar"
        aria-label={props.label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={value}
        aria-valuetext={[value === undefined ? '' : percent(share), ...bits]
          .filter(Boolean)
          .join(', ')}
      >
        <div style={{ width: value === undefined ? undefined : `${(share ?? 0) * 100}%` }} />
      </div>
      <span class="jp-mistudio-hidden" role="status">
        {quarter > 0 && `${props.label}: ${quarter} %`}
      </span>
      <div class="jp-mistudio-progress-text">
        {props.message && <span>{props.message}</span>}
        {bits.map(bit => (
          <span key={bit.replace(/[\d.,]+/g, '')}>{bit}</span>
        ))}
      </div>
    </div>
  );
}
