import { usePanel } from '../context';
import { bytes, integer } from '../lib/format';
import { t, tData } from '../messages';
import type { Dataset } from '../types';
import { Button } from '../ui/Button';
import { DetailHead } from '../ui/DetailHead';
import { Facts } from '../ui/Facts';
import type { Fact } from '../ui/Facts';
import { Section } from '../ui/Section';
import { Samples } from './Samples';

interface Props {
  dataset: Dataset;
  onBack: () => void;
  takesFocus?: boolean;
}

function origin(dataset: Dataset): string {
  const outside = dataset.source === 'hub' ? dataset.repo_id : dataset.source_path;
  return dataset.source === 'sample' || !outside ? tData('source', dataset.source) : outside;
}

/** One dataset: where it is from, what is in it, its samples. */
export function DatasetView({ dataset, onBack, takesFocus }: Props) {
  const { host } = usePanel();
  const facts: Fact[] = [
    [t('fact.source'), origin(dataset)],
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
  if (dataset.columns.length > 1) {
    facts.push([
      t('datasets.columns'),
      dataset.columns.map(column => `${column.name} (${column.dtype})`).join(', '),
      true
    ]);
  }
  const split = host.selection.value['split'];
  const chosen = typeof split === 'string' ? split : null;
  return (
    <div class="jp-mistudio-panel" data-testid="mistudio-dataset">
      <DetailHead name={dataset.name} state={dataset.state} onBack={onBack} takesFocus={takesFocus}>
        {host.open && (
          <Button onClick={() => host.open?.('extract', { dataset: dataset.id, split: chosen })}>
            {t('architecture.useIn')}
          </Button>
        )}
      </DetailHead>
      <Facts facts={facts} />
      <Section title={t('samples.title')}>
        <Samples
          dataset={dataset}
          split={chosen}
          onSplit={name => host.select({ ...host.selection.peek(), split: name })}
        />
      </Section>
    </div>
  );
}
