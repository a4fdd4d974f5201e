import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { bytes, integer } from '../lib/format';
import { count, t, tData } from '../messages';
import type { Dataset } from '../types';
import { Button } from '../ui/Button';
import { EmptyState } from '../ui/EmptyState';
import { noticesOf } from '../ui/hooks';
import { RecordList } from '../ui/RecordList';
import { TableState } from '../ui/TableState';
import { useOpen } from '../ui/useOpen';
import { usePick } from '../ui/usePick';
import { AddDataset } from './AddDataset';
import { BulkActions } from './BulkActions';
import { DatasetView } from './DatasetView';
import { DeleteQuestion } from './DeleteQuestion';
import { shown, SHOW_ALL } from './list';
import { ListFilters } from './ListFilters';
import { rename } from './rest';
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

/** With fewer datasets a filter would only be in the way. */
const FILTER_FROM = 4;

/** The list of datasets, or the one that is open. */
export function DatasetsPanel() {
  const { store, host } = usePanel();
  const detail = useOpen(host, 'dataset', host.value('dataset_id'));
  const list = store.datasets.list.value;
  const dataset = list.find(each => each.id === detail.wanted || each.name === detail.wanted);
  if (dataset) {
    return (
      <DatasetView
        key={dataset.id}
        dataset={dataset}
        onBack={detail.back}
        takesFocus={detail.takesFocus}
      />
    );
  }
  return <DatasetList datasets={list} open={detail.open} returned={detail.returned} />;
}

interface ListProps {
  datasets: readonly Dataset[];
  open: (id: string) => void;
  returned: string | null;
}

function DatasetList({ datasets, open, returned }: ListProps) {
  const { store } = usePanel();
  const [adding, setAdding] = useState(false);
  const [filter, setFilter] = useState(SHOW_ALL);
  const picking = usePick(datasets);
  const [said, setSaid] = useState('');
  const visible = shown(datasets, filter);
  return (
    <div class="jp-mistudio-panel" data-testid="mistudio-datasets">
      <div class="jp-mistudio-toolbar">
        <h2>{t('datasets.title')}</h2>
        {datasets.length > 0 && <SampleDatasetButton />}
        {picking.button}
        <Button icon="add" expanded={adding} onClick={() => setAdding(!adding)}>
          {t('datasets.add')}
        </Button>
      </div>
      {adding && (
        <AddDataset
          onAdded={record => {
            setAdding(false);
            setSaid(noticesOf(record));
          }}
          onClose={() => setAdding(false)}
        />
      )}
      <TableState table={store.datasets}>
        {datasets.length === 0 && !adding && (
          <EmptyState title={t('datasets.empty')} text={t('datasets.empty.text')}>
            <SampleDatasetButton primary />
          </EmptyState>
        )}
        {datasets.length >= FILTER_FROM && (
          <ListFilters datasets={datasets} filter={filter} onChange={setFilter} />
        )}
        {picking.chosen && (
          <BulkActions
            chosen={picking.chosen}
            all={visible}
            onChoose={picking.choose}
            onSaid={setSaid}
          />
        )}
        <div class="jp-mistudio-hint" role="status">
          {said || (datasets.length > 0 && visible.length === 0 ? t('datasets.filter.none') : '')}
        </div>
        <RecordList
          noun="datasets"
          records={visible}
          label={t('datasets.title')}
          meta={datasetMeta}
          question={record => <DeleteQuestion datasets={[record]} />}
          canOpen={record => record.state === 'ready'}
          onOpen={record => open(record.id)}
          returned={returned}
          pick={picking.pick}
          onRename={async (record, name) => {
            const asked = store.datasets.now;
            store.datasets.absorb(await rename(store.api, record.id, name), asked);
          }}
        />
      </TableState>
    </div>
  );
}
