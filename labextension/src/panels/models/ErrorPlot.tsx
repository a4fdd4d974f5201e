import { quantity } from '../lib/format';
import { t } from '../messages';

const WIDTH = 72;
const HEIGHT = 22;
const PAD = 2;

/** The points of a line through one value per layer, from zero up to the largest. */
export function linePoints(values: readonly number[]): [x: number, y: number][] {
  const top = Math.max(...values, Number.MIN_VALUE);
  const step = values.length > 1 ? (WIDTH - 2 * PAD) / (values.length - 1) : 0;
  return values.map((value, index) => [
    PAD + index * step,
    HEIGHT - PAD - (value / top) * (HEIGHT - 2 * PAD)
  ]);
}

/** A small plot of the residual stream's relative error by layer. */
export function ErrorPlot({ values }: { values: readonly number[] }) {
  if (values.length === 0) {
    return null;
  }
  const points = linePoints(values);
  const last = points.at(-1) ?? [0, 0];
  const label = t('variants.error.plot', {
    first: quantity(values[0]),
    last: quantity(values.at(-1))
  });
  return (
    <svg
      class="jp-mistudio-errorplot"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label={label}
    >
      <title>{label}</title>
      <path class="jp-mistudio-axis" d={`M${PAD} ${HEIGHT - PAD}H${WIDTH - PAD}`} />
      <path d={`M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L')}`} />
      <circle cx={last[0]} cy={last[1]} r="2" />
    </svg>
  );
}
