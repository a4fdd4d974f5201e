import { useEffect, useState } from 'preact/hooks';
import { usePanel } from '../context';
import { integer } from '../lib/format';
import { t } from '../messages';
import type { Dataset } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { SelectField, TextField } from '../ui/Field';
import { useFetch } from '../ui/hooks';
import { SampleRow } from './SampleRow';

const PAGE = 50;
/** Long enough to swallow typing. */
const SEARCH_DELAY_MS = 250;

interface Props {
  dataset: Dataset;
  split: string | null;
  onSplit: (split: string) => void;
}

/** Pages of a split's texts. Text is shown as text: markup in a dataset stays markup. */
export function Samples({ dataset, split, onSplit }: Props) {
  const { store } = usePanel();
  const names = dataset.splits.map(each => each.name);
  const chosen = split !== null && names.includes(split) ? split : (names[0] ?? '');
  const [offset, setOffset] = useState(0);
  const [jump, setJump] = useState('');
  const [text, setText] = useState('');
  const [search, setSearch] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => setSearch(text.trim()), SEARCH_DELAY_MS);
    return () => clearTimeout(timer);
  }, [text]);
  useEffect(() => setOffset(0), [dataset.id, chosen, search]);
  const key = JSON.stringify([dataset.id, chosen, offset, search]);
  const page = useFetch(key, async signal => {
    const query = { split: chosen, offset, limit: PAGE, q: search };
    return { ...(await store.api.samples(dataset.id, query, signal)), search };
  });
  // What is on the screen may still be the answer to an earlier search.
  const found = Boolean(page.value?.search);
  const searchable = dataset.text_column !== null;
  const total = page.value?.total ?? dataset.splits.find(s => s.name === chosen)?.n_rows ?? 0;
  const shown = page.value?.samples ?? [];

  const go = (text: string): void => {
    const row = Math.floor(Number(text));
    if (text.trim() !== '' && Number.isFinite(row) && total > 0) {
      setOffset(Math.min(Math.max(0, row), total - 1));
    }
  };

  return (
    <div class="jp-mistudio-samples">
      <div class="jp-mistudio-samples-head">
        <SelectField
          label={t('field.split')}
          value={chosen}
          options={dataset.splits.map(each => ({
            value: each.name,
            label: `${each.name} (${integer(each.n_rows)})`
          }))}
          onChange={onSplit}
        />
        {searchable && (
          <TextField
            label={t('samples.search')}
            type="search"
            value={text}
            onChange={setText}
            onEnter={() => setSearch(text.trim())}
            error={page.error?.field === 'q' ? page.error.message : null}
          />
        )}
        {search === '' && (
          <TextField
            label={t('samples.goto')}
            value={jump}
            numeric
            onChange={setJump}
            onEnter={() => go(jump)}
          />
        )}
        <div class="jp-mistudio-pager">
          <Button
            kind="quiet"
            icon="back"
            label={t('samples.previous')}
            disabled={offset === 0}
            onClick={() => setOffset(Math.max(0, offset - PAGE))}
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
            onClick={() => setOffset(offset + PAGE)}
          />
        </div>
      </div>
      {page.error && page.error.field !== 'q' && (
        <ErrorNote error={page.error} onRetry={page.reload} />
      )}
      {!page.loading && !page.error && total === 0 && (
        <p class="jp-mistudio-hint">{t(found ? 'samples.none' : 'samples.empty')}</p>
      )}
      <ol
        class="jp-mistudio-sample-list"
        aria-label={t('samples.title')}
        aria-busy={page.loading}
        tabIndex={0}
      >
        {shown.map(sample => (
          <SampleRow key={sample.index} sample={sample} />
        ))}
      </ol>
    </div>
  );
}
