import { useEffect, useRef, useState } from 'preact/hooks';
import { usePanel } from '../context';
import { integer } from '../lib/format';
import { PAGE } from '../lib/pages';
import type { Page } from '../lib/pages';
import { t } from '../messages';
import type { Dataset, Sample, SamplePage } from '../types';
import type { Target } from '../ui/endless/EndlessList';
import { ErrorNote } from '../ui/ErrorNote';
import { SelectField, TextField } from '../ui/Field';
import { useFetch } from '../ui/hooks';
import { useDebounced } from '../ui/useDebounced';
import { usePages } from '../ui/usePages';
import type { Reading } from './reading';
import { active, filterQuery, NO_FILTERS, SampleFilters } from './SampleFilters';
import type { Filters } from './SampleFilters';
import { SampleList } from './SampleList';
import type { Tokenization } from './types';

/** Long enough to swallow typing. */
const SEARCH_DELAY_MS = 250;

export interface SampleAnswer extends Page<Sample>, Pick<SamplePage, 'searched'> {
  /** Something searched or filtered. */
  found: boolean;
}

interface Props {
  dataset: Dataset;
  reading: Reading;
  onReading: (part: Partial<Reading>) => void;
  tokenizations: readonly Tokenization[];
}

/** A split's texts. Text is shown as text: markup in a dataset stays markup. */
export function Samples({ dataset, reading, onReading, tokenizations }: Props) {
  const { store } = usePanel();
  const { split, filters, row } = reading;
  const [typed, setTyped] = useState(reading.q);
  const q = useTyped(row === null ? typed.trim() : '', '');
  const narrowed = useTyped(JSON.stringify(filters), JSON.stringify(NO_FILTERS));
  const [to, setTo] = useState<Target>(() => placeOf(reading.at, row !== null));
  const [marked, setMarked] = useState(row);
  const key = JSON.stringify([dataset.id, dataset.updated_at, split, q, narrowed]);
  const before = useRef(key);
  const start = row ?? (before.current === key ? to.index : 0);
  const now = JSON.parse(narrowed) as Filters;
  const asked = { split, q, ...filterQuery(now) };
  const searches = q !== '' || active(now) > 0;
  const found = usePages<Sample, SampleAnswer>(key, start, async (offset, signal) => {
    const page = { ...asked, offset, limit: PAGE, count: 'quick' };
    const { samples, ...facts } = await store.api.samples(dataset.id, page, signal);
    return { ...facts, rows: samples, atLeast: facts.total_exact === false, found: searches };
  });
  // A page comes before all matches are counted; they are counted while it is read.
  const open = found.key === key && found.pages?.counted === false;
  const counted = useFetch(open ? key : null, signal =>
    store.api.samples(dataset.id, { ...asked, limit: 0 }, signal)
  );
  useEffect(() => {
    if (open && counted.value && !counted.loading) {
      found.pages?.count(counted.value.total);
    }
  }, [open, counted.value]);
  useEffect(() => {
    const changed = before.current !== key;
    before.current = key;
    if (row !== null) {
      setTyped('');
      setMarked(row);
      setTo(placeOf(row, true));
    } else if (changed) {
      setTo(placeOf(0));
      onReading({ q, at: 0 });
    }
  }, [key, row]);
  const answer = found.pages?.latest ?? null;
  const total = found.pages?.total ?? 0;
  const errorAt = (...fields: string[]): string | null =>
    found.error?.field && fields.includes(found.error.field)
      ? [found.error.message, found.error.hint].filter(Boolean).join(' ')
      : null;
  const placed = errorAt('q', 'min_tokens', 'max_tokens', 'tokens', 'token_ids', 'where') !== null;
  return (
    <div class="jp-mistudio-samples" data-testid="mistudio-texts">
      <div class="jp-mistudio-samples-head">
        <SelectField
          label={t('field.split')}
          value={split}
          options={dataset.splits.map(each => ({
            value: each.name,
            label: `${each.name} (${integer(each.n_rows)})`
          }))}
          onChange={name => onReading({ split: name, filters: NO_FILTERS, at: 0, row: null })}
        />
        {dataset.text_column !== null && (
          <TextField
            label={t('samples.search')}
            hint={typed === '' ? t('samples.search.hint') : undefined}
            type="search"
            value={typed}
            onChange={setTyped}
            error={errorAt('q')}
          />
        )}
        <GoTo
          found={answer?.found ?? false}
          total={total}
          onGo={index => setTo(placeOf(index, true))}
        />
      </div>
      <SampleFilters
        dataset={dataset}
        tokenizations={tokenizations.filter(each => each.state === 'ready' && each.split === split)}
        filters={filters}
        onChange={next => onReading({ filters: next })}
        errorAt={errorAt}
      />
      <Said
        answer={answer}
        typed={q}
        total={total}
        loading={found.loading}
        failed={found.error !== null}
      />
      {found.error && !placed && <ErrorNote error={found.error} onRetry={found.retry} />}
      {found.pages && total > 0 && (
        <SampleList
          key={found.key}
          pages={found.pages}
          total={total}
          found={answer?.found ?? false}
          loading={found.loading}
          to={to}
          marked={marked}
          onRest={at => onReading({ at, row: null })}
        />
      )}
    </div>
  );
}

const placeOf = (index: number, reveal = false): Target => ({ index, above: 0, reveal });

/** What is typed, once nobody types any more; `nothing` counts at once. */
function useTyped(value: string, nothing: string): string {
  const settled = useDebounced(value, SEARCH_DELAY_MS);
  return value === nothing ? value : settled;
}

interface GoToProps {
  found: boolean;
  total: number;
  onGo: (index: number) => void;
}

/** Goes to a row by its number; among what was found, to the one so far down. */
function GoTo({ found, total, onGo }: GoToProps) {
  const [typed, setTyped] = useState('');
  const go = (): void => {
    const wanted = Math.floor(Number(typed.replace(/[\s,_]/g, ''))) - (found ? 1 : 0);
    if (typed.trim() !== '' && Number.isFinite(wanted) && total > 0) {
      onGo(Math.min(Math.max(0, wanted), total - 1));
      setTyped('');
    }
  };
  return (
    <TextField
      label={t(found ? 'samples.goto.found' : 'samples.goto')}
      value={typed}
      numeric
      onChange={setTyped}
      onEnter={go}
    />
  );
}

interface SaidProps {
  answer: SampleAnswer | null;
  typed: string;
  total: number;
  loading: boolean;
  failed: boolean;
}

/**
 * How a query was read where that is not what was typed, how many were found or that nothing was,
 * and that the index is not there yet; said aloud too.
 */
function Said({ answer, typed, total, loading, failed }: SaidProps) {
  const searched = answer?.searched;
  const reading = typed === '' || failed ? null : (searched?.read_as ?? null);
  return (
    <div class="jp-mistudio-hint" role="status">
      {reading !== null && reading.toLowerCase() !== typed.toLowerCase() && (
        <p data-testid="mistudio-read-as">{t('samples.readAs', { query: reading })}</p>
      )}
      {!loading && !failed && answer && total === 0 && (
        <p>{t(answer.found ? 'samples.none' : 'samples.empty')}</p>
      )}
      {answer?.found && total > 0 && (
        <span class="jp-mistudio-hidden">{t('samples.n', { n: integer(total) })}</span>
      )}
      {searched && !searched.complete && (
        <p>
          {t('samples.indexing', {
            done: integer(searched.indexed),
            total: integer(searched.n_rows)
          })}
        </p>
      )}
    </div>
  );
}
