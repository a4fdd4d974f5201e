import { useState } from 'preact/hooks';
import { ArchitectureView } from '../architecture/ArchitectureView';
import { usePanel } from '../context';
import { bytes, compact } from '../lib/format';
import { count, t, tData } from '../messages';
import type { Model } from '../types';
import { Button } from '../ui/Button';
import { EmptyState } from '../ui/EmptyState';
import { noticesOf } from '../ui/hooks';
import { RecordList } from '../ui/RecordList';
import { TableState } from '../ui/TableState';
import { useOpen } from '../ui/useOpen';
import { usePick } from '../ui/usePick';
import { AddModel } from './AddModel';
import { BulkActions } from './BulkActions';
import { CompareView } from './CompareView';
import { DeleteQuestion } from './DeleteQuestion';
import { Filters } from './Filters';
import { distinct, NO_FILTER, shown } from './list';
import { SampleModelButton } from './SampleButton';

/** With fewer models a filter would only be in the way. */
const FILTER_FROM = 4;

export function modelMeta(model: Model): string {
  const facts = [model.family ?? tData('source', model.source)];
  if (model.n_params !== null) {
    facts.push(count(model.n_params, 'parameter', compact(model.n_params)));
  }
  if (model.n_layers !== null) {
    facts.push(count(model.n_layers, 'layer'));
  }
  facts.push(model.format);
  if (model.size_bytes !== null) {
    facts.push(bytes(model.size_bytes));
  }
  return facts.join(' · ');
}

/** The list of models, the one that is open, or two side by side. */
export function ModelsPanel() {
  const { store, host } = usePanel();
  const detail = useOpen(host, 'model', host.value('model_id'));
  const list = store.models.list.value;
  const find = (wanted: unknown): Model | undefined =>
    list.find(each => each.id === wanted || each.name === wanted);
  const model = find(detail.wanted);
  const other = find(host.selection.value['compare']);
  if (model && other) {
    return (
      <CompareView
        first={model}
        second={other}
        onChange={(first, second) => host.select({ model: first, compare: second })}
        onBack={detail.back}
      />
    );
  }
  if (model) {
    return <ArchitectureView model={model} onBack={detail.back} takesFocus={detail.takesFocus} />;
  }
  return <ModelList models={list} open={detail.open} returned={detail.returned} />;
}

interface ListProps {
  models: readonly Model[];
  open: (id: string) => void;
  returned: string | null;
}

function ModelList({ models, open, returned }: ListProps) {
  const { store, host } = usePanel();
  const [adding, setAdding] = useState(false);
  const [filter, setFilter] = useState(NO_FILTER);
  const picking = usePick(models);
  const [said, setSaid] = useState('');
  const visible = shown(distinct(models), filter);
  return (
    <div class="jp-mistudio-panel" data-testid="mistudio-models">
      <div class="jp-mistudio-toolbar">
        <h2>{t('models.title')}</h2>
        {models.length > 0 && <SampleModelButton />}
        {picking.button}
        <Button icon="add" expanded={adding} onClick={() => setAdding(!adding)}>
          {t('models.add')}
        </Button>
      </div>
      {adding && (
        <AddModel
          onAdded={record => {
            setAdding(false);
            setSaid(noticesOf(record));
          }}
          onClose={() => setAdding(false)}
        />
      )}
      <TableState table={store.models}>
        {models.length === 0 && !adding && (
          <EmptyState title={t('models.empty')} text={t('models.empty.text')}>
            <SampleModelButton primary />
          </EmptyState>
        )}
        {models.length >= FILTER_FROM && (
          <Filters models={models} filter={filter} onChange={setFilter} n={visible.length} />
        )}
        {picking.chosen && (
          <BulkActions
            chosen={picking.chosen}
            all={visible}
            onChoose={picking.choose}
            onCompare={(first, second) => host.select({ model: first.id, compare: second.id })}
            onSaid={setSaid}
          />
        )}
        <div class="jp-mistudio-hint" role="status">
          {said || (models.length > 0 && visible.length === 0 ? t('filter.none') : '')}
        </div>
        <RecordList
          noun="models"
          records={visible}
          label={t('models.title')}
          meta={modelMeta}
          question={record => <DeleteQuestion models={[record]} />}
          canOpen={record => record.state === 'ready'}
          onOpen={record => open(record.id)}
          returned={returned}
          pick={picking.pick}
          onRename={(record, name) => store.renameModel(record.id, name)}
        />
      </TableState>
    </div>
  );
}
