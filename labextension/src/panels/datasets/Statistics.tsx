import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { bytes, compact, integer, percent, quantity } from '../lib/format';
import { t } from '../messages';
import type { Dataset } from '../types';
import { ErrorNote } from '../ui/ErrorNote';
import { Facts } from '../ui/Facts';
import type { Fact } from '../ui/Facts';
import { SelectField } from '../ui/Field';
import { useFetch } from '../ui/hooks';
import { Subtitle } from '../ui/Section';
import { visible } from '../ui/TokenChips';
import { Histogram } from './Histogram';
import { NearDuplicates } from './NearDuplicates';
import { statistics, statisticsFile } from './rest';
import type { Counted, Lengths, SplitStatistics, Tokenization, TokenStatistics } from './types';

interface Props {
  dataset: Dataset;
  tokenizations: readonly Tokenization[];
  split: string;
  /** Shows the samples of these lengths in tokens. */
  onRange: (tokenization: string, from: number, to: number) => void;
  onRow: (row: number) => void;
}

/** What is in a dataset: counted by words, or by the tokens of a tokenization. */
export function Statistics({ dataset, tokenizations, split, onRange, onRow }: Props) {
  const { store } = usePanel();
  const ready = tokenizations.filter(each => each.state === 'ready');
  const [by, setBy] = useState('');
  const tokenization = ready.find(each => each.id === by);
  const id = tokenization?.id ?? null;
  // Words are counted one by one while the index is made.
  const index = store.jobs.list.value.find(
    job => job.kind === 'index' && job.target?.id === dataset.id
  );
  const counting = index?.state === 'queued' || index?.state === 'running';
  const found = useFetch(`${dataset.id} ${dataset.updated_at} ${id ?? ''} ${counting}`, signal =>
    statistics(store.api, dataset.id, id, signal)
  );
  const value = found.loading ? null : found.value;
  return (
    <div class="jp-mistudio-statistics" data-testid="mistudio-statistics">
      <SelectField
        label={t('stats.by')}
        value={id ?? ''}
        options={[
          { value: '', label: t('stats.by.words') },
          ...ready.map(each => ({ value: each.id, label: tokenizationName(each, store.models) }))
        ]}
        onChange={setBy}
      />
      {found.error && <ErrorNote error={found.error} onRetry={found.reload} />}
      {found.loading && <p class="jp-mistudio-hint">{t('stats.counting')}</p>}
      {value?.kind === 'dataset' && (
        <>
          {counting && <p class="jp-mistudio-hint">{t('stats.indexing')}</p>}
          <Words split={value.splits.find(each => each.name === split) ?? value.splits[0]} />
          <NearDuplicates dataset={dataset.id} split={split} onRow={onRow} />
        </>
      )}
      {value?.kind === 'tokenization' && (
        <Tokens
          value={value}
          // Only where a sample is a row are rows of that length what the bar counts.
          onRange={
            tokenization && (tokenization.settings.mode ?? 'truncate') === 'truncate'
              ? (from, to) => onRange(tokenization.id, from, to)
              : undefined
          }
        />
      )}
      {value && (
        <div class="jp-mistudio-actions">
          {(['json', 'csv'] as const).map(format => (
            <a
              key={format}
              class="jp-mistudio-link"
              download={`${dataset.name.replace(/[^\w.-]+/g, '-')}-statistics.${format}`}
              href={statisticsFile(store.api, dataset.id, id, format)}
            >
              {t('stats.export', { format: format.toUpperCase() })}
            </a>
          ))}
        </div>
      )}
    </div>
  );
}

/** "sample-model · train · 512": what tells tokenizations of one dataset apart. */
export function tokenizationName(
  tokenization: Tokenization,
  models: { get: (id: string | null) => { name: string } | undefined }
): string {
  const { model_id, tokenizer, split, settings } = tokenization;
  const folder = tokenizer?.path.split('/').filter(Boolean).pop();
  const who = models.get(model_id)?.name ?? folder ?? model_id ?? '';
  return [who, split, settings.context && integer(settings.context), settings.mode]
    .filter(Boolean)
    .join(' · ');
}

function lengthFacts(lengths: Lengths): Fact[] {
  const at = (share: string): string => integer(lengths.percentiles[share]);
  return [
    [t('stats.mean'), quantity(lengths.mean)],
    [t('stats.median'), quantity(lengths.median)],
    [t('stats.range'), `${integer(lengths.min)} – ${integer(lengths.max)}`],
    [t('stats.middle'), `${at('5')} – ${at('95')}`]
  ];
}

function Words({ split }: { split: SplitStatistics | undefined }) {
  if (!split) {
    return <p class="jp-mistudio-hint">{t('stats.none')}</p>;
  }
  const share = (n: number | undefined): string =>
    n === undefined
      ? '–'
      : `${integer(n)}${split.n_samples > 0 && n > 0 ? ` (${percent(n / split.n_samples)})` : ''}`;
  const facts: Fact[] = [
    [t('stats.samples'), integer(split.n_samples)],
    [t('stats.words'), compact(split.words?.total)],
    [t('stats.uniqueWords'), compact(split.unique_words)],
    [t('stats.empty'), share(split.empty)],
    [t('stats.duplicates'), share(split.duplicates)],
    [t('fact.size'), bytes(split.n_bytes)],
    ...(split.words ? lengthFacts(split.words) : [])
  ];
  return (
    <>
      <Facts facts={facts} />
      {split.words && <Histogram lengths={split.words} unit={t('stats.words.unit')} />}
      <Ranking title={t('stats.topWords')} items={split.top_words} />
      <Ranking title={t('stats.rareWords')} items={split.rare_words} />
    </>
  );
}

function Tokens({
  value,
  onRange
}: {
  value: TokenStatistics;
  onRange?: (from: number, to: number) => void;
}) {
  const facts: Fact[] = [
    [t('stats.samples'), integer(value.n_samples)],
    [t('stats.tokens'), compact(value.n_tokens)],
    [t('stats.uniqueTokens'), compact(value.vocabulary.used)],
    [t('stats.vocabulary'), percent(value.vocabulary.share)],
    [t('fact.size'), bytes(value.bytes)],
    ...lengthFacts(value.lengths)
  ];
  return (
    <>
      <Facts facts={facts} />
      <Histogram lengths={value.lengths} unit={t('unit.tokens')} onRange={onRange} />
      <Ranking title={t('stats.topTokens')} items={value.top_tokens} />
      <Ranking title={t('stats.rareTokens')} items={value.rare_tokens} />
      <Ranking title={t('stats.specialTokens')} items={value.special_tokens} />
    </>
  );
}

const RANKED = 30;

/** The most frequent, or the rarest, as chips whose fill says how many. */
function Ranking({ title, items }: { title: string; items: readonly Counted[] | undefined }) {
  if (!items || items.length === 0) {
    return null;
  }
  const most = Math.max(...items.map(item => item.count), 1);
  return (
    <div>
      <Subtitle>{title}</Subtitle>
      <ol class="jp-mistudio-ranking">
        {items.slice(0, RANKED).map((item, index) => (
          <li
            key={index}
            style={{ '--mi-share': `${(100 * item.count) / most}%` }}
            title={item.id === undefined ? undefined : t('chips.token', { id: item.id })}
          >
            <span>{visible(item.word ?? item.text ?? String(item.id ?? ''))}</span>{' '}
            <span class="jp-mistudio-aside">{compact(item.count)}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}
