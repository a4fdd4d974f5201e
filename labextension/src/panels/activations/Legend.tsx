import { quantity } from '../lib/format';
import { t } from '../messages';
import { colour } from './scale';
import type { Scale } from './scale';

const STEPS = [-100, -75, -50, -25, 0, 25, 50, 75, 100];

/** What the colours mean; below zero is marked by a line under the token too. */
export function Legend({ scale, diverging }: { scale: Scale; diverging: boolean }) {
  const [least, most] = [quantity(scale.least), quantity(scale.most)];
  return (
    <div
      class="jp-mistudio-look-legend"
      role="img"
      aria-label={t('tokens.legend', { least, most })}
    >
      <span>{least}</span>
      {STEPS.filter(step => diverging || step >= 0).map(step => (
        <span
          key={step}
          class={step < 0 ? 'jp-mistudio-swatch jp-mistudio-mod-below' : 'jp-mistudio-swatch'}
          style={{ background: colour(step) }}
        />
      ))}
      <span>{most}</span>
    </div>
  );
}
