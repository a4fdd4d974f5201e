import { useEffect, useRef, useState } from 'preact/hooks';
import { usePanel } from '../context';
import { integer } from '../lib/format';
import { t } from '../messages';
import type { Dataset } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { SelectField, TextField } from '../ui/Field';
import { useFetch } from '../ui/hooks';
import { useDebounced } from '../ui/useDebounced';
import { active, filterQuery, SampleFilters } from './SampleFilters';
import type { Filters } from './SampleFilters';
import { SampleRow } from './SampleRow';
import type { Tokenization } from './types';

const PAGE = 50;
/** Long enough to swallow typing. */
const SEARCH_DELAY_MS = 250;

interface Props {
  dataset: Dataset;
  split: string;
  onSplit: (split: string) => void;
  tokenizations: readonly Tokenization[];
  filters: Filters;
  onFilters: (filters: Filters) => void;
  /** A row to go to and to mark, e.g. the document of a token. */
  row: number | null;
  onPaged: () => void;
}

/** Pages of a split's texts. Text is shown as text: markup in a dataset stays markup. */
export function Samples(props: Props) {
  const { dataset, split, filters, row } = props;
  const { store } = usePanel();
  const [offset, setOffset] = useState(row ?? 0);
  const [jump, setJump] = useState('');
  const [text, setText] = useState('');
  const search = useDebounced(text.trim(), SEARCH_DELAY_MS);
  const narrowed = useDebounced(filters, SEARCH_DELAY_MS);
  const query = filterQuery(narrowed);
  const wanted = JSON.stringify([dataset.id, split, search, query]);
  const before = useRef(wanted);
  useEffect(() => {
    if (before.current !== wanted) {
      before.current = wanted;
      setOffset(0);
    }
  }, [wanted]);
  useEffect(() => {
    if (row !== null) {
      setText('');
      setOffset(row);
    }
  }, [row]);
  const page = useFetch(JSON.stringify([wanted, offset, dataset.updated_at]), async signal => {
    const asked = { split, offset, limit: PAGE, q: search, ...query };
    return { ...(await store.api.samples(dataset.id, asked, signal)), search, narrowed };
  });
  // What is on the screen may still be the answer to an earlier search.
  const found = Boolean(page.value?.search) || active(page.value?.narrowed ?? filters) > 0;
  const total = page.value?.total ?? dataset.splits.find(s => s.name === split)?.n_rows ?? 0;
  const errorAt = (...fields: string[]): string | null =>
    page.error?.field && fields.includes(page.error.field) ? page.error.message : null;
  const placed = errorAt('q', 'min_tokens', 'max_tokens', 'tokens', 'token_ids') !== null;
  const turn = (to: number): void => {
    props.onPaged();
    setOffset(to);
  };
  const go = (typed: string): void => {
    const to = Math.floor(Number(typed));
    if (typed.trim() !== '' && Number.isFinite(to) && total > 0) {
      turn(Math.min(Math.max(0, to), total - 1));
    }
  };
  const searched = page.value?.searched;
  return (
    <div class="jp-mistudio-samples">
      <div class="jp-mistudio-samples-head">
        <SelectField
          label={t('field.split')}
          value={split}
          options={dataset.splits.map(each => ({
            value: each.name,
            label: `${each.name} (${integer(each.n_rows)})`
          }))}
          onChange={props.onSplit}
        />
        {dataset.text_column !== null && (
          <TextField
            label={t('samples.search')}
            hint={text === '' ? t('samples.search.hint') : undefined}
            type="search"
            value={text}
            onChange={setText}
            error={errorAt('q')}
          />
        )}
        {!found && (
          <TextField
            label={t('samples.goto')}
            value={jump}
            numeric
            onChange={setJump}
            onEnter={() => go(jump)}
          />
        )}
      </div>
      <SampleFilters
        dataset={dataset}
        tokenizations={props.tokenizations.filter(
          each => each.state === 'ready' && each.split === split
        )}
        filters={filters}
        onChange={props.onFilters}
        errorAt={errorAt}
      />
      <Pager offset={offset} total={total} found={found} onTurn={turn} />
      {searched && !searched.complete && (
        <p class="jp-mistudio-hint" role="status">
          {t('samples.indexing', {
            done: integer(searched.indexed),
            total: integer(searched.n_rows)
          })}
        </p>
      )}
      {page.error && !placed && <ErrorNote error={page.error} onRetry={page.reload} />}
      {!page.loading && !page.error && total === 0 && (
        <p class="jp-mistudio-hint">{t(found ? 'samples.none' : 'samples.empty')}</p>
      )}
      <ol
        class="jp-mistudio-sample-list"
        aria-label={t('samples.title')}
        aria-busy={page.loading}
        tabIndex={0}
      >
        {(page.value?.samples ?? []).map(sample => (
          <SampleRow key={sample.index} sample={sample} marked={sample.index === row} />
        ))}
      </ol>
      {total > PAGE && <Pager offset={offset} total={total} found={found} onTurn={turn} />}
    </div>
  );
}

interface PagerProps {
  offset: number;
  total: number;
  found: boolean;
  onTurn: (offset: number) => void;
}

function Pager({ offset, total, found, onTurn }: PagerProps) {
  return (
    <div class="jp-mistudio-pager">
      <Button
        kind="quiet"
        icon="back"
        label={t('samples.previous')}
        disabled={offset === 0}
        onClick={() => onTurn(Math.max(0, offset - PAGE))}
      />
      <span role="status">
        {total > 0 &&
          t(found ? 'samples.found' : 'samples.range', {
            from: integer(found ? offset + 1 : offset),
            to: integer(Math.min(offset + PAGE, total) - (found ? 0 : 1)),
            total: integer(total)
          })}
      </span>
      <Button
        kind="quiet"
        icon="chevron"
        label={t('samples.next')}
        disabled={offset + PAGE >= total}
        onClick={() => onTurn(offset + PAGE)}
      />
    </div>
  );
}
