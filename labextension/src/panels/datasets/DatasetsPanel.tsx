import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { bytes, integer } from '../lib/format';
import { count, t, tData } from '../messages';
import type { Dataset } from '../types';
import { Button } from '../ui/Button';
import { EmptyState } from '../ui/EmptyState';
import { RecordList } from '../ui/RecordList';
import { useOpen } from '../ui/useOpen';
import { TableState } from '../ui/TableState';
import { AddDataset } from './AddDataset';
import { DatasetView } from './DatasetView';
import { SampleDatasetButton } from './SampleButton';

export function datasetMeta(dataset: Dataset): string {
  const facts = [tData('source', dataset.source)];
  if (dataset.repo_id && dataset.repo_id !== dataset.name) {
    facts.push(dataset.repo_id);
  }
  if (dataset.n_rows !== null) {
    facts.push(count(dataset.n_rows, 'row', integer(dataset.n_rows)));
  }
  if (dataset.n_bytes !== null) {
    facts.push(bytes(dataset.n_bytes));
  }
  return facts.join(' · ');
}

/** The list of datasets, or the one that is open. */
export function DatasetsPanel() {
  const { store, host } = usePanel();
  const [adding, setAdding] = useState(false);
  const detail = useOpen(host, 'dataset', host.value('dataset_id'));
  const list = store.datasets.list.value;
  const dataset = list.find(each => each.id === detail.wanted || each.name === detail.wanted);
  if (dataset) {
    return <DatasetView dataset={dataset} onBack={detail.back} takesFocus={detail.takesFocus} />;
  }
  return (
    <div class="jp-mistudio-panel" data-testid="mistudio-datasets">
      <div class="jp-mistudio-toolbar">
        <h2>{t('datasets.title')}</h2>
        {list.length > 0 && <SampleDatasetButton />}
        <Button icon="add" expanded={adding} onClick={() => setAdding(!adding)}>
          {t('datasets.add')}
        </Button>
      </div>
      {adding && <AddDataset onAdded={() => setAdding(false)} onClose={() => setAdding(false)} />}
      <TableState table={store.datasets}>
        {list.length === 0 && !adding && (
          <EmptyState title={t('datasets.empty')} text={t('datasets.empty.text')}>
            <SampleDatasetButton primary />
          </EmptyState>
        )}
        <RecordList
          noun="datasets"
          records={list}
          label={t('datasets.title')}
          meta={datasetMeta}
          question={record => t('datasets.delete', { name: record.name })}
          canOpen={record => record.state === 'ready'}
          onOpen={record => detail.open(record.id)}
          returned={detail.returned}
        />
      </TableState>
    </div>
  );
}
