import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { usePanel } from '../context';
import { integer, percent, quantity } from '../lib/format';
import { t } from '../messages';
import type { Projection } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { useFetch } from '../ui/hooks';
import { SKIP_FIRST } from './choice';
import type { Look } from './choice';
import { Legend } from './Legend';
import { draw, layOut, nearest, neighbour } from './plane';
import type { Direction, Plane } from './plane';
import { scaleOf } from './scale';

/** A sample of tokens on their first two principal components; each leads to its sample. */
export function PlaneView({ look }: { look: Look }) {
  const { store } = usePanel();
  const { extraction, choice } = look;
  const [seed, setSeed] = useState(0);
  const key = JSON.stringify([extraction.id, choice.hook, choice.dimension, seed]);
  const found = useFetch(key, signal =>
    store.api.projection(
      extraction.id,
      { hook: choice.hook, dimension: choice.dimension, seed, skip_first: SKIP_FIRST },
      signal
    )
  );
  const projection = found.value;
  return (
    <div class="jp-mistudio-look" aria-busy={found.loading} data-testid="mistudio-plane">
      {found.error && <ErrorNote error={found.error} onRetry={found.reload} />}
      {!projection && !found.error && (
        <p class="jp-mistudio-hint" role="status">
          {t('estimate.working')}
        </p>
      )}
      {projection && (
        <>
          <Scatter look={look} projection={projection} />
          <div class="jp-mistudio-look-head">
            <span class="jp-mistudio-hint">
              {t('plane.about', {
                n: integer(projection.x.length),
                of: integer(projection.of)
              })}
            </span>
            <Button busy={found.loading} onClick={() => setSeed(seed + 1)}>
              {t('plane.again')}
            </Button>
          </div>
        </>
      )}
    </div>
  );
}

const ARROWS: Record<string, Direction> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1]
};

function Scatter({ look, projection }: { look: Look; projection: Projection }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const plane = useRef<Plane | null>(null);
  const [at, setAt] = useState<number | null>(null);
  const scale = useMemo(
    () => scaleOf(projection.values, projection.dimension !== null),
    [projection]
  );
  useEffect(() => setAt(null), [projection]);

  const redraw = useRef(() => {});
  redraw.current = () => {
    if (canvas.current) {
      plane.current = layOut(canvas.current, projection);
      draw(canvas.current, plane.current, projection, scale, at);
    }
  };
  useEffect(() => redraw.current(), [projection, scale, at]);
  useEffect(() => followHost(canvas.current, () => redraw.current()), []);

  const open = (index: number): void =>
    look.choose({
      sample: projection.samples[index] ?? 0,
      token: projection.positions[index] ?? 0
    });
  const under = (event: MouseEvent): number | null =>
    plane.current && nearest(plane.current, event.offsetX, event.offsetY);
  const onKeyDown = (event: KeyboardEvent): void => {
    const direction = ARROWS[event.key];
    if (direction && plane.current) {
      event.preventDefault();
      event.stopPropagation();
      setAt(neighbour(plane.current, at, direction));
    } else if (event.key === 'Enter' && at !== null) {
      event.preventDefault();
      event.stopPropagation();
      open(at);
    }
  };
  return (
    <div class="jp-mistudio-plane">
      <canvas
        ref={canvas}
        tabIndex={0}
        role="application"
        aria-label={t('plane.label', { n: integer(projection.x.length) })}
        onKeyDown={onKeyDown}
        onPointerMove={event => setAt(under(event))}
        onClick={event => {
          const index = under(event);
          if (index !== null) {
            open(index);
          }
        }}
      />
      <div class="jp-mistudio-plane-axes">
        {projection.explained.map((share, index) => (
          <span key={index}>
            {index === 0 ? '→' : '↑'}{' '}
            {t('plane.component', { n: index + 1, share: percent(share) })}
          </span>
        ))}
        <Legend scale={scale} diverging={projection.dimension !== null} />
      </div>
      <div class="jp-mistudio-look-detail" role="status">
        {at === null ? (
          <span class="jp-mistudio-hint">{t('plane.hint')}</span>
        ) : (
          <>
            {projection.texts && <code class="jp-mistudio-look-token">{projection.texts[at]}</code>}{' '}
            {t('plane.point', {
              sample: projection.samples[at] ?? '',
              position: projection.positions[at] ?? '',
              value: quantity(projection.values[at])
            })}
          </>
        )}
      </div>
    </div>
  );
}

/** Calls back when the theme or the size changes; returns the function that stops it. */
function followHost(canvas: HTMLCanvasElement | null, redraw: () => void): () => void {
  const theme = new MutationObserver(() =>
    // Lab swaps the theme's style sheet after it has named the theme.
    requestAnimationFrame(() => requestAnimationFrame(redraw))
  );
  theme.observe(document.body, { attributeFilter: ['data-jp-theme-name'] });
  const size = new ResizeObserver(redraw);
  if (canvas) {
    size.observe(canvas);
  }
  return () => {
    theme.disconnect();
    size.disconnect();
  };
}
