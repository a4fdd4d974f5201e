import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { integer, quantity } from '../lib/format';
import { t } from '../messages';
import type { SampleValues } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { useFetch } from '../ui/hooks';
import { Disclosure } from '../ui/Section';
import { SKIP_FIRST } from './choice';
import type { Look } from './choice';
import { Legend } from './Legend';
import { scaleOf } from './scale';
import { TokenDetail } from './TokenDetail';
import { TokenText } from './TokenText';

interface Props {
  look: Look;
  shown: SampleValues;
  /** Another sample is on its way. */
  busy: boolean;
}

/** One sample: its tokens coloured by their values, and the one that is pointed at. */
export function TokenView({ look, shown, busy }: Props) {
  const { choice, choose } = look;
  const [hovered, setHovered] = useState<number | null>(null);
  const all = shown.positions === 'all';
  // The first token has the strongest colour, whatever it is, and takes none from the others.
  const compared =
    all && shown.values.length > SKIP_FIRST + 1 ? shown.values.slice(SKIP_FIRST) : shown.values;
  const scale = scaleOf(compared, shown.dimension !== null);
  const chosen =
    choice.token !== null && choice.token < shown.ids.length && choice.sample === shown.sample
      ? choice.token
      : null;
  return (
    <div class="jp-mistudio-look" aria-busy={busy} data-testid="mistudio-tokens">
      <div class="jp-mistudio-look-head">
        <SampleChooser
          sample={shown.sample}
          n={shown.n_samples}
          onSample={sample => choose({ sample, token: null })}
        />
        {all && <Legend scale={scale} diverging={shown.dimension !== null} />}
      </div>
      {!all && (
        <p class="jp-mistudio-hint">
          {shown.positions === 'last'
            ? t('tokens.last')
            : t('tokens.mean', { value: quantity(shown.values[0]) })}
        </p>
      )}
      <TokenText
        shown={shown}
        scale={scale}
        chosen={chosen}
        onChoose={token => choose({ sample: shown.sample, token })}
        onHover={setHovered}
      />
      <TokenDetail
        shown={shown}
        position={hovered ?? chosen}
        standsOut={hovered === null || hovered === chosen ? shown.stands_out : null}
        dimension={choice.dimension}
        onDimension={dimension => choose({ dimension })}
      />
      <Disclosure
        title={t('tokens.document')}
        aside={t('tokens.document.row', {
          row: integer(shown.row),
          split: look.extraction.split ?? ''
        })}
      >
        <Document look={look} row={shown.row} />
      </Disclosure>
    </div>
  );
}

interface ChooserProps {
  sample: number;
  n: number;
  onSample: (sample: number) => void;
}

function SampleChooser({ sample, n, onSample }: ChooserProps) {
  const go = (text: string): void => {
    const wanted = Math.floor(Number(text));
    if (text.trim() !== '' && Number.isFinite(wanted)) {
      onSample(Math.min(Math.max(0, wanted), n - 1));
    }
  };
  return (
    <div class="jp-mistudio-pager" role="group" aria-label={t('tokens.sample')}>
      <Button
        kind="quiet"
        icon="back"
        label={t('tokens.previous')}
        disabled={sample === 0}
        onClick={() => onSample(sample - 1)}
      />
      <label>
        {t('tokens.sample')}{' '}
        <input
          class="jp-mistudio-input jp-mistudio-look-number"
          inputMode="numeric"
          value={sample}
          // Anew for each sample, so that what was typed and not taken goes away.
          key={sample}
          onChange={event => go(event.currentTarget.value)}
        />
      </label>
      <span>{t('tokens.of', { n: integer(n) })}</span>
      <Button
        kind="quiet"
        icon="chevron"
        label={t('tokens.next')}
        disabled={sample >= n - 1}
        onClick={() => onSample(sample + 1)}
      />
    </div>
  );
}

/** The dataset's own text, and the way to it. */
function Document({ look, row }: { look: Look; row: number }) {
  const { host, store } = usePanel();
  const { dataset_id: dataset, split } = look.extraction;
  const key = dataset ? JSON.stringify([dataset, split, row]) : null;
  const page = useFetch(key, signal =>
    store.api.samples(dataset ?? '', { split: split ?? undefined, offset: row, limit: 1 }, signal)
  );
  if (!dataset || !store.datasets.get(dataset)) {
    return <p class="jp-mistudio-hint">{t('tokens.document.gone')}</p>;
  }
  return (
    <>
      {page.error && <ErrorNote error={page.error} onRetry={page.reload} />}
      <p class="jp-mistudio-look-document" dir="auto">
        {page.value?.samples[0]?.text}
      </p>
      {host.open && (
        <div class="jp-mistudio-actions">
          <Button onClick={() => host.open?.('datasets', { dataset, split, row })}>
            {t('tokens.document.show')}
          </Button>
        </div>
      )}
    </>
  );
}
