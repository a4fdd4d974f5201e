import { percent } from '../lib/format';
import { t } from '../messages';

const WIDTH = 240;
const HEIGHT = 30;
const PAD = 4;

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
  const label = t('variants.error.plot', {
    first: percent(values[0]),
    last: percent(values.at(-1))
  });
  return (
    <figure class="jp-mistudio-errorplot">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label}>
        <path class="jp-mistudio-axis" d={`M${PAD} ${HEIGHT - PAD}H${WIDTH - PAD}`} />
        <path d={`M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L')}`} />
        {points.map(([x, y]) => (
          <circle key={x} cx={x} cy={y} r="1.8" />
        ))}
      </svg>
      <figcaption>
        {t('variants.error.caption', { n: values.length - 1, last: percent(values.at(-1)) })}
      </figcaption>
    </figure>
  );
}
