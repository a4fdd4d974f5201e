/** One quantity over the last minutes, from nothing to its most. */

const W = 200;
const H = 40;

/** Seconds that the width stands for: at least a minute, at most all that is kept. */
const SPAN_S = [60, 600] as const;

/** A gap longer than this, in seconds, is a time in which nobody looked. */
const GAP_S = 10;

export type Point = [at: string, share: number | null];

interface Props {
  title: string;
  /** The value now, in words. */
  value: string;
  points: readonly Point[];
}

export function Sparkline({ title, value, points }: Props) {
  const lines = linesOf(points);
  return (
    <figure class="jp-mistudio-chart jp-mistudio-spark">
      <figcaption>
        <span class="jp-mistudio-aside">{title}</span>
        <span>{value}</span>
      </figcaption>
      <svg
        viewBox={`0 0 ${W} ${H}`}
        role="img"
        aria-label={`${title}: ${value}`}
        preserveAspectRatio="none"
      >
        <path class="jp-mistudio-axis jp-mistudio-spark-most" d={`M0 2.5H${W}`} />
        <path class="jp-mistudio-axis" d={`M0 ${H - 0.5}H${W}`} />
        {lines.map(line => {
          const path = line.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L');
          const [first, last] = [line[0]?.[0] ?? 0, line[line.length - 1]?.[0] ?? 0];
          return (
            <g key={first}>
              <path class="jp-mistudio-spark-area" d={`M${first} ${H}L${path}L${last} ${H}Z`} />
              <path d={`M${path}`} />
            </g>
          );
        })}
      </svg>
    </figure>
  );
}

type Line = [x: number, y: number][];

/** The seconds that the width stands for, from the times of the first and the last sample. */
export function spanOf(first = '', last = ''): number {
  const measured = (Date.parse(last) - Date.parse(first)) / 1000;
  return Math.min(SPAN_S[1], Math.max(SPAN_S[0], measured || 0));
}

/** Points as lines, broken where nothing was measured; the newest sample is at the right end. */
export function linesOf(points: readonly Point[]): Line[] {
  const last = points[points.length - 1]?.[0];
  const end = Date.parse(last ?? '');
  const span = spanOf(points[0]?.[0], last);
  const lines: Line[] = [];
  let before = Number.NEGATIVE_INFINITY;
  for (const [at, share] of points) {
    const time = Date.parse(at);
    const x = W - ((end - time) / 1000 / span) * W;
    if (share === null || x < 0) {
      continue;
    }
    const y = H - 1.5 - Math.min(1, Math.max(0, share)) * (H - 4);
    const line = lines[lines.length - 1];
    if (line && time - before <= GAP_S * 1000) {
      line.push([x, y]);
    } else {
      lines.push([[x, y]]);
    }
    before = time;
  }
  return lines;
}
