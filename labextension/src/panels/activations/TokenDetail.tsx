import { quantity } from '../lib/format';
import { t } from '../messages';
import type { SampleValues } from '../types';
import { Button } from '../ui/Button';
import { tokenLabel, valueText } from './TokenText';

interface Props {
  shown: SampleValues;
  /** Pointed at, else chosen. */
  position: number | null;
  standsOut: SampleValues['stands_out'];
  dimension: number | null;
  onDimension: (dimension: number) => void;
}

/** The token that is pointed at or chosen, in a place that keeps its height. */
export function TokenDetail({ shown, position, standsOut, dimension, onDimension }: Props) {
  if (position === null) {
    return <p class="jp-mistudio-look-detail jp-mistudio-hint">{t('tokens.pick')}</p>;
  }
  return (
    <div class="jp-mistudio-look-detail" data-testid="mistudio-token">
      <div>
        <code class="jp-mistudio-look-token">{tokenLabel(shown, position)}</code>{' '}
        <strong>{valueText(shown, position)}</strong>{' '}
        <span class="jp-mistudio-aside">
          {t('tokens.detail', { position, id: shown.ids[position] ?? '' })}
        </span>
      </div>
      {standsOut && standsOut.length > 0 && (
        <div class="jp-mistudio-look-dimensions">
          <span class="jp-mistudio-aside">{t('tokens.standsOut')}</span>
          {standsOut.map(([each, value, z]) => (
            <Button
              key={each}
              pressed={each === dimension}
              title={t('tokens.standsOut.title', { value: quantity(value), z: quantity(z) })}
              onClick={() => onDimension(each)}
            >
              {each}
            </Button>
          ))}
        </div>
      )}
    </div>
  );
}
