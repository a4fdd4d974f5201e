import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import { globalName, pressed } from '../lib/grid';
import type { Offer } from '../lib/grid';
import { isGlobalPoint } from '../lib/hooks';
import type { BlockPoint, GlobalPoint } from '../lib/hooks';
import { t, tData } from '../messages';
import type { Architecture } from '../types';
import { blockForm } from './block';
import type { BlockForm } from './block';
import { layoutOf, STREAM, WIDTH } from './layout';
import type { Layout, Part } from './layout';

interface Props {
  architecture: Architecture;
  offer: Offer;
  chosen: ReadonlySet<string>;
  onPoint: (point: BlockPoint) => void;
  onGlobal: (name: string) => void;
  /** The kind of layer to draw, where not all are alike. */
  kind?: string | null;
}

/** One block as a picture: the residual stream, what reads from it and what adds to it. */
export function BlockDiagram({ architecture, offer, chosen, onPoint, onGlobal, kind }: Props) {
  const form = useMemo(() => blockForm(architecture), [architecture]);
  const layout = useMemo(() => layoutOf(form), [form]);
  const points = Object.keys(layout.points) as (BlockPoint | GlobalPoint)[];
  return (
    <div
      class="jp-mistudio-diagram"
      role="group"
      aria-label={t('hooks.diagram')}
      style={{ height: `${layout.height}em` }}
    >
      <Lines layout={layout} stacked={form.experts !== null} />
      <span
        class="jp-mistudio-blocknote"
        style={{ left: '21.2em', top: `${layout.frame[1] - 0.9}em` }}
      >
        {t('hooks.block', { n: offer.nLayers })}
      </span>
      {layout.parts.map(part => (
        <Box key={`${part.x} ${part.y}`} part={part}>
          {partText(part, form, architecture, kind ?? null)}
        </Box>
      ))}
      {points.map(point => {
        const place = layout.points[point] ?? [0, 0];
        if (isGlobalPoint(point)) {
          const name = globalName(point);
          return offer.globals.includes(point) ? (
            <Toggle
              key={point}
              point={point}
              place={place}
              state={chosen.has(name)}
              onClick={() => onGlobal(name)}
            />
          ) : null;
        }
        return offer.points.includes(point) ? (
          <Toggle
            key={point}
            point={point}
            place={place}
            state={pressed(chosen, point, offer)}
            onClick={() => onPoint(point)}
          />
        ) : (
          <span
            key={point}
            class="jp-mistudio-hook jp-mistudio-mod-missing"
            style={at(place)}
            title={offer.reasons.get(point)}
            aria-hidden="true"
          >
            {point}
          </span>
        );
      })}
    </div>
  );
}

function Lines({ layout, stacked }: { layout: Layout; stacked: boolean }) {
  const [top, bottom] = layout.frame;
  const mlp = layout.parts.find(part => part.kind === 'mlp');
  return (
    <svg viewBox={`0 0 ${WIDTH} ${layout.height}`} aria-hidden="true" focusable="false">
      <rect
        class="jp-mistudio-block"
        x="0.3"
        y={top}
        width={WIDTH - 0.6}
        height={bottom - top}
        rx="0.5"
      />
      {layout.branches.map(path => (
        <path key={path} class="jp-mistudio-branch" d={path} />
      ))}
      <path class="jp-mistudio-stream" d={`M${STREAM} ${layout.stream[0]}V${layout.stream[1]}`} />
      {layout.sums.map(y => (
        <g key={y} class="jp-mistudio-sum">
          <circle cx={STREAM} cy={y} r="0.6" />
          <path d={`M${STREAM - 0.35} ${y}h.7M${STREAM} ${y - 0.35}v.7`} />
          <path class="jp-mistudio-arrow" d={`M${STREAM + 1.1} ${y - 0.35}l-.5 .35 .5 .35`} />
        </g>
      ))}
      {layout.arrowsDown.map(([x, y]) => (
        <path
          key={`${x} ${y}`}
          class="jp-mistudio-arrow"
          d={`M${x - 0.35} ${y - 0.5}l.35 .45 .35 -.45`}
        />
      ))}
      {stacked &&
        mlp &&
        [0.6, 0.3].map(shift => (
          <rect
            key={shift}
            class="jp-mistudio-stack"
            x={mlp.x - mlp.w / 2 + shift}
            y={mlp.y - mlp.h / 2 - shift}
            width={mlp.w}
            height={mlp.h}
            rx="0.2"
          />
        ))}
    </svg>
  );
}

interface Text {
  title: string;
  detail: string;
}

/** What is written into a box of the drawing. */
export function partText(part: Part, form: BlockForm, a: Architecture, kind: string | null): Text {
  if (part.kind === 'norm') {
    return { title: a.norm ?? t('hooks.norm'), detail: '' };
  }
  if (part.kind === 'mlp') {
    const { experts } = form;
    if (experts) {
      const { active, count } = experts;
      return {
        title: t('hooks.experts'),
        detail: active ? t('hooks.experts.active', { active, count }) : String(count)
      };
    }
    return { title: t('hooks.mlp'), detail: a.d_mlp ? String(a.d_mlp) : '' };
  }
  const mixer = kind ?? form.mixer ?? 'mixer';
  if (!mixer.includes('attention')) {
    return { title: tData('mixer', mixer), detail: '' };
  }
  const heads = a.n_heads && a.n_kv_heads ? `${a.n_heads}/${a.n_kv_heads}` : (a.n_heads ?? '');
  const plain = kind === null || kind === 'full attention';
  return {
    title: plain ? t('hooks.attention') : tData('mixer', mixer),
    detail: [a.attention, heads].filter(Boolean).join(' ')
  };
}

function at([x, y]: readonly [number, number]): { left: string; top: string } {
  return { left: `${x}em`, top: `${y}em` };
}

function Box({ part, children }: { part: Part; children: Text }) {
  return (
    <span
      class={`jp-mistudio-part jp-mistudio-mod-${part.kind}`}
      style={{ ...at([part.x, part.y]), width: `${part.w}em`, height: `${part.h}em` }}
    >
      <span>{children.title}</span>
      {children.detail && <span class="jp-mistudio-part-detail">{children.detail}</span>}
    </span>
  );
}

interface ToggleProps {
  point: BlockPoint | GlobalPoint;
  place: readonly [number, number];
  state: boolean | 'mixed';
  onClick: () => void;
  children?: ComponentChildren;
}

function Toggle({ point, place, state, onClick }: ToggleProps) {
  return (
    <button
      type="button"
      class="jp-mistudio-hook"
      style={at(place)}
      aria-pressed={state}
      title={tData('point', point)}
      data-testid={`mistudio-point-${point}`}
      onClick={onClick}
    >
      <span class="jp-mistudio-dot" aria-hidden="true" />
      {point}
    </button>
  );
}
