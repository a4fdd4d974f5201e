import { globalName, pressed } from '../lib/grid';
import type { Offer } from '../lib/grid';
import type { BlockPoint, GlobalPoint } from '../lib/hooks';
import { t } from '../messages';

interface Props {
  offer: Offer;
  parallel: boolean;
  experts: boolean;
  chosen: ReadonlySet<string>;
  onPoint: (point: BlockPoint) => void;
  onGlobal: (name: string) => void;
}

/** Centres of the hook points, in em; the flow goes down, branches to the right. */
const STREAM = 4.4;
const BRANCH = 16.4;
const JOIN = 10.6;
const AT: Record<BlockPoint | GlobalPoint, [x: number, y: number]> = {
  embed: [STREAM, 1.1],
  resid_pre: [STREAM, 4.5],
  z: [BRANCH, 8.9],
  attn_out: [JOIN, 10.9],
  resid_mid: [STREAM, 13.1],
  mlp_post: [BRANCH, 17.5],
  mlp_out: [JOIN, 19.5],
  resid_post: [STREAM, 21.7],
  ln_final: [STREAM, 25.1]
};
const WIDTH = 22;
const HEIGHT = 26.2;
const ATTENTION = 6.7;
const MLP = 15.3;

/** One block as a picture: the residual stream, what reads from it and what adds to it. */
export function BlockDiagram(props: Props) {
  const { offer, parallel, chosen } = props;
  const branch = (from: number, box: number, join: number): string =>
    `M${STREAM} ${from}H${BRANCH}V${box - 1}M${BRANCH} ${box + 1}V${join}H${STREAM + 0.55}`;
  const aside = `M${BRANCH} 4.5H21.4V13.1H${BRANCH}V${MLP - 1}M${BRANCH} ${MLP + 1}V19.5H${STREAM + 0.55}`;
  return (
    <div class="jp-mistudio-diagram" role="group" aria-label={t('hooks.diagram')}>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true" focusable="false">
        <rect class="jp-mistudio-block" x="0.3" y="2.8" width="21.4" height="20.6" rx="0.5" />
        <path class="jp-mistudio-stream" d={`M${STREAM} 1.1V25.1`} />
        <path class="jp-mistudio-branch" d={branch(4.5, ATTENTION, 10.9)} />
        <path class="jp-mistudio-branch" d={parallel ? aside : branch(13.1, MLP, 19.5)} />
        {[10.9, 19.5].map(y => (
          <g key={y} class="jp-mistudio-sum">
            <circle cx={STREAM} cy={y} r="0.6" />
            <path d={`M${STREAM - 0.35} ${y}h.7M${STREAM} ${y - 0.35}v.7`} />
          </g>
        ))}
        <path class="jp-mistudio-arrow" d={`M${BRANCH - 0.35} 5.2l.35 .5 .35 -.5`} />
        <path class="jp-mistudio-arrow" d={`M${BRANCH - 0.35} 13.8l.35 .5 .35 -.5`} />
        <path class="jp-mistudio-arrow" d={`M${STREAM + 1.05} 10.55l-.5 .35 .5 .35`} />
        <path class="jp-mistudio-arrow" d={`M${STREAM + 1.05} 19.15l-.5 .35 .5 .35`} />
      </svg>
      <span class="jp-mistudio-blocknote" style={{ left: '21.2em', top: '22.4em' }}>
        {t('hooks.block', { n: offer.nLayers })}
      </span>
      <span class="jp-mistudio-part" style={{ left: `${BRANCH}em`, top: `${ATTENTION}em` }}>
        {t('hooks.attention')}
      </span>
      <span class="jp-mistudio-part" style={{ left: `${BRANCH}em`, top: `${MLP}em` }}>
        {t(props.experts ? 'hooks.experts' : 'hooks.mlp')}
      </span>
      {offer.globals.includes('embed') && <GlobalToggle point="embed" {...props} />}
      {(Object.keys(AT) as (BlockPoint | GlobalPoint)[])
        .filter((point): point is BlockPoint => point !== 'embed' && point !== 'ln_final')
        .map(point =>
          offer.points.includes(point) ? (
            <Toggle
              key={point}
              point={point}
              text={point}
              state={pressed(chosen, point, offer)}
              onClick={() => props.onPoint(point)}
            />
          ) : (
            <span
              key={point}
              class="jp-mistudio-hook jp-mistudio-mod-missing"
              style={place(point)}
              title={offer.reasons.get(point)}
              aria-hidden="true"
            >
              {point}
            </span>
          )
        )}
      {offer.globals.includes('ln_final') && <GlobalToggle point="ln_final" {...props} />}
    </div>
  );
}

function place(point: BlockPoint | GlobalPoint): { left: string; top: string } {
  const [x, y] = AT[point];
  return { left: `${x}em`, top: `${y}em` };
}

interface ToggleProps {
  point: BlockPoint | GlobalPoint;
  text: string;
  state: boolean | 'mixed';
  onClick: () => void;
}

function Toggle({ point, text, state, onClick }: ToggleProps) {
  return (
    <button
      type="button"
      class="jp-mistudio-hook"
      style={place(point)}
      aria-pressed={state}
      data-testid={`mistudio-point-${point}`}
      onClick={onClick}
    >
      <span class="jp-mistudio-dot" aria-hidden="true" />
      {text}
    </button>
  );
}

function GlobalToggle(props: Props & { point: GlobalPoint }) {
  const name = globalName(props.point);
  return (
    <Toggle
      point={props.point}
      text={props.point}
      state={props.chosen.has(name)}
      onClick={() => props.onGlobal(name)}
    />
  );
}
