import { quantity, percent } from '../lib/format';
import { splitName } from '../lib/hooks';
import { t, tData } from '../messages';
import { Icon } from '../ui/Icon';
import type { ArrayFile, HookStatistics } from '../types';

const COLUMNS = ['mean', 'std', 'mean_norm', 'max_abs', 'sparsity', 'non_finite'] as const;

interface Row {
  hook: string;
  statistics: HookStatistics;
}

export function statisticsRows(files: readonly ArrayFile[]): Row[] {
  return files.flatMap(file =>
    file.hook && file.statistics ? [{ hook: file.hook, statistics: file.statistics }] : []
  );
}

interface Props {
  rows: readonly Row[];
  /** A hook point was chosen, to look at its tokens. */
  onHook: (hook: string) => void;
}

const CHARTS = ['mean_norm', 'sparsity', 'non_finite'] as const;
type Charted = (typeof CHARTS)[number];

/** Statistics per hook point, and their course over the layers as small plots. */
export function Statistics({ rows, onHook }: Props) {
  return (
    <>
      <div class="jp-mistudio-charts">
        {CHARTS.map(stat => (
          <Chart key={stat} rows={rows} stat={stat} onHook={onHook} />
        ))}
      </div>
      <Legend rows={rows} />
      <div
        class="jp-mistudio-scroll"
        tabIndex={0}
        role="group"
        aria-label={t('activations.statistics')}
      >
        <table class="jp-mistudio-table jp-mistudio-mod-numbers">
          <thead>
            <tr>
              <th scope="col">{t('activations.hook')}</th>
              {COLUMNS.map(column => (
                <th key={column} scope="col">
                  {tData('activations.stat', column)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ hook, statistics }) => (
              <tr key={hook}>
                <th scope="row">
                  <button
                    type="button"
                    title={t('statistics.choose', { hook })}
                    onClick={() => onHook(hook)}
                  >
                    <code>{hook}</code>
                  </button>
                </th>
                {COLUMNS.map(column => (
                  <Value key={column} column={column} value={statistics[column]} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

/** A number of the table; values that are not finite are marked by a sign and by weight. */
function Value({ column, value }: { column: (typeof COLUMNS)[number]; value: number | null }) {
  const alarming = column === 'non_finite' && value !== null && value > 0;
  return (
    <td class={alarming ? 'jp-mistudio-mod-alarming' : undefined}>
      {alarming && <Icon name="alert" />} {column === 'sparsity' ? percent(value) : quantity(value)}
    </td>
  );
}

const W = 200;
const H = 56;

type Line = [layer: number, value: number, hook: string][];

function linesOf(rows: readonly Row[], stat: Charted): Map<string, Line> {
  const lines = new Map<string, Line>();
  for (const { hook, statistics } of rows) {
    const { layer, short } = splitName(hook);
    const value = statistics[stat];
    if (layer !== null && value !== null) {
      lines.set(short, [...(lines.get(short) ?? []), [layer, value, hook]]);
    }
  }
  return lines;
}

/** One statistic by layer, a line per hook point; only where there are layers to compare. */
function Chart({ rows, stat, onHook }: Props & { stat: Charted }) {
  const lines = linesOf(rows, stat);
  const points = [...lines.values()].flat();
  const layers = points.map(([layer]) => layer);
  const [first, last] = [Math.min(...layers), Math.max(...layers)];
  if ([...lines.values()].every(line => line.length < 2)) {
    return null;
  }
  const top = Math.max(...points.map(([, value]) => value)) || 1;
  const x = (layer: number): number => 4 + ((layer - first) / (last - first)) * (W - 8);
  const y = (value: number): number => H - 5 - (value / top) * (H - 10);
  const title = t('activations.chart', { stat: tData('activations.stat', stat) });
  const written = (value: number): string =>
    stat === 'sparsity' ? percent(value) : quantity(value);
  const broken = new Set(
    rows.filter(row => (row.statistics.non_finite ?? 0) > 0).map(row => row.hook)
  );
  const empty = points.every(([, value]) => value === 0);
  return (
    <figure class="jp-mistudio-chart">
      <figcaption>
        {title}{' '}
        <span class="jp-mistudio-aside">
          {empty ? t('statistics.none') : `0 – ${written(top)}`}
        </span>
      </figcaption>
      {/* The table says the same to those who cannot see it, and has the hooks as buttons. */}
      <svg viewBox={`0 0 ${W} ${H}`} role="img" aria-label={title} preserveAspectRatio="none">
        <path class="jp-mistudio-axis" d={`M0 ${H - 5}H${W}`} />
        {[...lines].map(([short, line], index) => (
          <g key={short} class={`jp-mistudio-series-${index % 6}`}>
            <title>{short}</title>
            <path d={`M${line.map(([layer, value]) => `${x(layer)} ${y(value)}`).join('L')}`} />
            <path
              class="jp-mistudio-dots"
              d={line.map(([layer, value]) => `M${x(layer)} ${y(value)}h0`).join('')}
            />
            {/* Not finite somewhere: a cross in every plot, whatever is drawn. */}
            <path
              class="jp-mistudio-cross"
              d={line
                .filter(([, , hook]) => broken.has(hook))
                .map(([layer, value]) => `M${x(layer) - 3} ${y(value) - 3}l6 6m0 -6l-6 6`)
                .join('')}
            />
            {line.map(([layer, value, hook]) => (
              <circle key={hook} cx={x(layer)} cy={y(value)} r={5} onClick={() => onHook(hook)}>
                <title>{`${hook}: ${written(value)}`}</title>
              </circle>
            ))}
          </g>
        ))}
      </svg>
      <div class="jp-mistudio-chart-axis" aria-hidden="true">
        <span>{first}</span>
        <span>{last}</span>
      </div>
    </figure>
  );
}

/** Which line is which: by dash as well as by colour. */
function Legend({ rows }: { rows: readonly Row[] }) {
  const lines = linesOf(rows, 'mean_norm');
  const shorts = [...lines.keys()];
  if (shorts.length < 2 || [...lines.values()].every(line => line.length < 2)) {
    return null;
  }
  return (
    <ul class="jp-mistudio-legend">
      {shorts.map((short, index) => (
        <li key={short} class={`jp-mistudio-series-${index % 6}`}>
          <svg viewBox="0 0 24 8" aria-hidden="true">
            <path d="M1 4H23" />
          </svg>
          <code>{short}</code>
        </li>
      ))}
    </ul>
  );
}
