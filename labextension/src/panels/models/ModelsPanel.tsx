import { useState } from 'preact/hooks';
import { ArchitectureView } from '../architecture/ArchitectureView';
import { usePanel } from '../context';
import { bytes, compact } from '../lib/format';
import { count, t, tData } from '../messages';
import type { Model } from '../types';
import { Button } from '../ui/Button';
import { EmptyState } from '../ui/EmptyState';
import { RecordList } from '../ui/RecordList';
import { useOpen } from '../ui/useOpen';
import { TableState } from '../ui/TableState';
import { AddModel } from './AddModel';
import { SampleModelButton } from './SampleButton';

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

/** The list of models, or the one that is open. */
export function ModelsPanel() {
  const { store, host } = usePanel();
  const [adding, setAdding] = useState(false);
  const detail = useOpen(host, 'model', host.value('model_id'));
  const list = store.models.list.value;
  const model = list.find(each => each.id === detail.wanted || each.name === detail.wanted);
  if (model) {
    return <ArchitectureView model={model} onBack={detail.back} takesFocus={detail.takesFocus} />;
  }
  return (
    <div class="jp-mistudio-panel" data-testid="mistudio-models">
      <div class="jp-mistudio-toolbar">
        <h2>{t('models.title')}</h2>
        {list.length > 0 && <SampleModelButton />}
        <Button icon="add" expanded={adding} onClick={() => setAdding(!adding)}>
          {t('models.add')}
        </Button>
      </div>
      {adding && <AddModel onAdded={() => setAdding(false)} onClose={() => setAdding(false)} />}
      <TableState table={store.models}>
        {list.length === 0 && !adding && (
          <EmptyState title={t('models.empty')} text={t('models.empty.text')}>
            <SampleModelButton primary />
          </EmptyState>
        )}
        <RecordList
          noun="models"
          records={list}
          label={t('models.title')}
          meta={modelMeta}
          question={record => t('models.delete', { name: record.name })}
          canOpen={record => record.state === 'ready'}
          onOpen={record => detail.open(record.id)}
          returned={detail.returned}
        />
      </TableState>
    </div>
  );
}
