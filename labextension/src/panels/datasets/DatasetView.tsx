import { useEffect } from 'preact/hooks';
import { usePanel } from '../context';
import { bytes, integer } from '../lib/format';
import { count, t, tData } from '../messages';
import type { Dataset } from '../types';
import { Button } from '../ui/Button';
import { DetailHead } from '../ui/DetailHead';
import { WarningNote } from '../ui/ErrorNote';
import { Facts } from '../ui/Facts';
import type { Fact } from '../ui/Facts';
import { Disclosure, Section } from '../ui/Section';
import { readAs } from './readAs';
import { readingOf, withReading } from './reading';
import type { Reading } from './reading';
import { Samples } from './Samples';
import { Statistics } from './Statistics';
import { Tokenizations } from './Tokenizations';
import { useTokenizations } from './useTokenizations';

interface Props {
  dataset: Dataset;
  onBack: () => void;
  takesFocus?: boolean;
}

function origin(dataset: Dataset): string {
  const outside = dataset.source === 'hub' ? dataset.repo_id : dataset.source_path;
  return dataset.source === 'sample' || !outside ? tData('source', dataset.source) : outside;
}

function factsOf(dataset: Dataset): Fact[] {
  const facts: Fact[] = [
    [t('fact.source'), origin(dataset), dataset.source !== 'sample'],
    [t('fact.rows'), integer(dataset.n_rows)],
    [t('fact.size'), bytes(dataset.n_bytes)],
    [t('datasets.textColumn'), dataset.text_column ?? t('datasets.tokenized')]
  ];
  if (dataset.config) {
    facts.push([t('field.config'), dataset.config]);
  }
  if (dataset.revision) {
    facts.push([t('field.revision'), <code>{dataset.revision.slice(0, 12)}</code>]);
  }
  const reading = readAs(dataset.options);
  if (reading) {
    facts.push([t('readAs.title'), reading, true]);
  }
  if (dataset.columns.length > 1) {
    facts.push([
      t('datasets.columns'),
      dataset.columns.map(column => `${column.name} (${column.dtype})`).join(', '),
      true
    ]);
  }
  return facts;
}

/** One dataset: where it is from, what is in it, how it is tokenised, its samples. */
export function DatasetView({ dataset, onBack, takesFocus }: Props) {
  const { host, store } = usePanel();
  const said = store.jobs.get(dataset.job_id)?.warnings ?? [];
  const tokenizations = useTokenizations(dataset.id);
  const reading = readingOf(
    host.selection.value,
    dataset.splits.map(each => each.name)
  );
  const { split } = reading;
  const read = (part: Partial<Reading>): void =>
    host.select(withReading(host.selection.peek(), part));
  const { filters } = reading;
  const gone =
    tokenizations.known &&
    filters.tokenization !== '' &&
    !tokenizations.list.some(each => each.id === filters.tokenization);
  useEffect(() => {
    if (gone) {
      read({ filters: { ...filters, tokenization: '' } });
    }
  }, [gone]);
  const n = tokenizations.list.length;
  return (
    <div class="jp-mistudio-panel" data-testid="mistudio-dataset">
      <DetailHead name={dataset.name} state={dataset.state} onBack={onBack} takesFocus={takesFocus}>
        {host.open && (
          <Button onClick={() => host.open?.('extract', { dataset: dataset.id, split })}>
            {t('architecture.useIn')}
          </Button>
        )}
      </DetailHead>
      <Facts facts={factsOf(dataset)} />
      {said.map((warning, index) => (
        <WarningNote key={index} message={warning.message} />
      ))}
      <Disclosure title={t('stats.title')}>
        <Statistics
          dataset={dataset}
          tokenizations={tokenizations.list}
          split={split}
          onRange={(tokenization, from, to) => {
            const of = tokenizations.list.find(each => each.id === tokenization);
            const lengths = { tokenization, min: Math.max(1, from), max: to - 1 };
            read({
              filters: { ...filters, ...lengths },
              at: 0,
              row: null,
              ...(of ? { split: of.split } : {})
            });
          }}
          onRow={row => read({ split, row })}
        />
      </Disclosure>
      <Disclosure
        title={t('tokenize.list')}
        aside={n > 0 ? count(n, 'tokenization', integer(n)) : undefined}
      >
        <Tokenizations
          dataset={dataset}
          split={split}
          list={tokenizations.list}
          reload={tokenizations.reload}
        />
      </Disclosure>
      <Section title={t('samples.title')}>
        <Samples
          dataset={dataset}
          reading={reading}
          onReading={read}
          tokenizations={tokenizations.list}
        />
      </Section>
    </div>
  );
}
