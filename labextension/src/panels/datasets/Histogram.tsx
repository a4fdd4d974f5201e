import { useState } from 'preact/hooks';
import { compact, integer, percent } from '../lib/format';
import { t } from '../messages';
import { useUid } from '../ui/hooks';
import type { Lengths } from './types';

interface Props {
  lengths: Lengths;
  unit: string;
  /** A bar was chosen: lengths from (included) to (not included). */
  onRange?: (from: number, to: number) => void;
}

const WIDTH = 300;
const HEIGHT = 84;

/** How long the samples are. The arrow keys walk over the bars, Enter shows the samples of one. */
export function Histogram({ lengths, unit, onRange }: Props) {
  const { edges, counts } = lengths.histogram;
  const [at, setAt] = useState<number | null>(null);
  const id = useUid('histogram');
  const most = Math.max(...counts, 1);
  const total = counts.reduce((sum, n) => sum + n, 0);
  const step = WIDTH / Math.max(1, counts.length);
  const bar = (index: number): [number, number] => [edges[index] ?? 0, edges[index + 1] ?? 0];
  const choose = (index: number | null): void => {
    if (index !== null && onRange && (counts[index] ?? 0) > 0) {
      const [from, to] = bar(index);
      onRange(Math.ceil(from), index === counts.length - 1 ? Math.floor(to) + 1 : Math.ceil(to));
    }
  };
  const under = (event: MouseEvent & { currentTarget: SVGSVGElement }): number => {
    const box = event.currentTarget.getBoundingClientRect();
    const index = Math.floor(((event.clientX - box.left) / box.width) * counts.length);
    return Math.min(counts.length - 1, Math.max(0, index));
  };
  const said = (): string => {
    if (at === null) {
      return onRange ? t('histogram.hint.click') : t('histogram.hint');
    }
    const [from, to] = bar(at);
    const n = counts[at] ?? 0;
    return t(to - from > 1 ? 'histogram.bar' : 'histogram.bar.one', {
      from: integer(Math.ceil(from)),
      to: integer(to),
      unit,
      n: integer(n),
      share: percent(total > 0 ? n / total : 0)
    });
  };
  return (
    <figure class="jp-mistudio-histogram">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={t('histogram.label', {
          unit,
          min: integer(lengths.min),
          max: integer(lengths.max)
        })}
        aria-describedby={id}
        tabIndex={0}
        onMouseMove={event => setAt(under(event))}
        onMouseLeave={() => setAt(null)}
        onBlur={() => setAt(null)}
        onClick={event => choose(under(event))}
        onKeyDown={event => {
          const last = counts.length - 1;
          const to = {
            ArrowLeft: Math.max(0, (at ?? 1) - 1),
            ArrowRight: Math.min(last, (at ?? -1) + 1),
            Home: 0,
            End: last
          }[event.key];
          if (to !== undefined) {
            event.preventDefault();
            setAt(to);
          } else if (event.key === 'Enter') {
            choose(at);
          }
        }}
        style={{ cursor: onRange ? 'pointer' : undefined }}
      >
        {counts.map((n, index) => (
          <rect
            key={index}
            class={index === at ? 'jp-mistudio-mod-at' : undefined}
            x={index * step + 0.5}
            width={Math.max(0.5, step - 1)}
            // A single sample still shows.
            height={n === 0 ? 0 : Math.max(1.5, (n / most) * (HEIGHT - 4))}
            y={HEIGHT - (n === 0 ? 0 : Math.max(1.5, (n / most) * (HEIGHT - 4)))}
          />
        ))}
      </svg>
      <div class="jp-mistudio-histogram-axis" aria-hidden="true">
        <span>{compact(lengths.min)}</span>
        <span>{unit}</span>
        <span>{compact(lengths.max)}</span>
      </div>
      <figcaption id={id} class="jp-mistudio-hint" aria-live="polite">
        {said()}
      </figcaption>
    </figure>
  );
}
