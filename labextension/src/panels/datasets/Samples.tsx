import { useEffect, useState } from 'preact/hooks';
import { usePanel } from '../context';
import { integer } from '../lib/format';
import { count, t } from '../messages';
import type { Dataset, Sample } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { SelectField, TextField } from '../ui/Field';
import { useFetch } from '../ui/hooks';

const PAGE = 50;
/** Longer texts are folded: enough to know a document by. */
const FOLD = 420;

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
  useEffect(() => setOffset(0), [dataset.id, chosen]);
  const key = `${dataset.id}/${chosen}/${offset}`;
  const page = useFetch(key, signal =>
    store.api.samples(dataset.id, { split: chosen, offset, limit: PAGE }, signal)
  );
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
        <TextField
          label={t('samples.goto')}
          value={jump}
          numeric
          onChange={setJump}
          onEnter={() => go(jump)}
        />
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
              t('samples.range', {
                from: integer(offset),
                to: integer(Math.min(offset + PAGE, total) - 1),
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
      {page.error && <ErrorNote error={page.error} onRetry={page.reload} />}
      {!page.loading && !page.error && total === 0 && <p>{t('samples.empty')}</p>}
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

function SampleRow({ sample }: { sample: Sample }) {
  const [unfolded, setUnfolded] = useState(false);
  const long = sample.text.length > FOLD;
  const text = long && !unfolded ? sample.text.slice(0, FOLD).trimEnd() + '…' : sample.text;
  return (
    <li data-testid={`mistudio-sample-${sample.index}`}>
      <div class="jp-mistudio-sample-index">
        {integer(sample.index)}
        {sample.n_tokens !== null && sample.n_tokens !== undefined && (
          <span> · {count(sample.n_tokens, 'token', integer(sample.n_tokens))}</span>
        )}
      </div>
      <div class="jp-mistudio-sample-text" dir="auto">
        {text === '' ? <em>{t('samples.blank')}</em> : text}
      </div>
      {long && (
        <Button kind="quiet" expanded={unfolded} onClick={() => setUnfolded(!unfolded)}>
          {t(unfolded ? 'action.showLess' : 'action.showAll')}
        </Button>
      )}
    </li>
  );
}
