import { useState } from 'preact/hooks';
import { integer, quantity } from '../lib/format';
import { t, tData } from '../messages';
import type { Ranking, TopSample } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { SelectField } from '../ui/Field';
import type { Look } from './choice';
import { useRanking } from './useRanking';

const ORDERS = ['max', 'min', 'abs'];

/** The samples in which the chosen dimension (or the norm) is strongest, while they are found. */
export function TopSamples({ look }: { look: Look }) {
  const { extraction, choice, choose } = look;
  const [order, setOrder] = useState('max');
  const search = useRanking(extraction.id, choice, order);
  const { ranking, running } = search;
  return (
    <div class="jp-mistudio-look" data-testid="mistudio-top">
      <div class="jp-mistudio-look-head">
        <SelectField
          label={t('top.order')}
          value={order}
          options={ORDERS.map(value => ({ value, label: tData('top.order', value) }))}
          onChange={setOrder}
        />
        <div class="jp-mistudio-pager">
          <span role="status" title={t('top.about')}>
            {ranking && progress(ranking, running)}
          </span>
          {running ? (
            <Button icon="stop" onClick={search.stop}>
              {t('top.stop')}
            </Button>
          ) : (
            <Button onClick={search.again}>{t('top.again')}</Button>
          )}
        </div>
      </div>
      {search.error && <ErrorNote error={search.error} onRetry={search.again} />}
      {ranking && !running && ranking.top.length === 0 && (
        <p class="jp-mistudio-hint">{t('top.none')}</p>
      )}
      <ol class="jp-mistudio-top" aria-label={t('top.title')} aria-busy={running}>
        {ranking?.top.map(found => (
          <li key={found.sample}>
            <TopRow
              found={found}
              open={found.sample === choice.sample}
              onOpen={() => choose({ sample: found.sample, token: found.position })}
            />
          </li>
        ))}
      </ol>
    </div>
  );
}

function progress({ read, total }: Ranking, running: boolean): string {
  if (read === total) {
    return t('top.all', { total: integer(total) });
  }
  const values = { read: integer(read), total: integer(total) };
  return t(running ? 'top.reading' : 'top.stopped', values);
}

function TopRow({ found, open, onOpen }: { found: TopSample; open: boolean; onOpen: () => void }) {
  const at = found.position - found.first;
  const texts = (found.texts ?? []).map(text => text.replace(/\s*\n\s*/g, ' ⏎ '));
  return (
    <button
      type="button"
      aria-current={open || undefined}
      aria-label={t('top.open', {
        sample: found.sample,
        position: found.position,
        value: quantity(found.value)
      })}
      onClick={onOpen}
    >
      <span class="jp-mistudio-top-value">{quantity(found.value)}</span>
      <span class="jp-mistudio-top-text" dir="auto">
        {found.first > 0 && '…'}
        {texts.slice(0, at).join('')}
        {texts[at] !== undefined && <mark>{texts[at]}</mark>}
        {texts.slice(at + 1).join('')}
      </span>
    </button>
  );
}
