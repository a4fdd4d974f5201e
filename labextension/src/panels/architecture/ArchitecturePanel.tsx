import { usePanel } from '../context';
import { t } from '../messages';
import { EmptyState } from '../ui/EmptyState';
import { SelectField } from '../ui/Field';
import { TableState } from '../ui/TableState';
import { SampleModelButton } from '../models/SampleButton';
import { ArchitectureView } from './ArchitectureView';

/** A model's architecture on its own, e.g. as a widget; without a model, a choice of one. */
export function ArchitecturePanel() {
  const { store, host } = usePanel();
  const models = store.models.list.value;
  const wanted = host.selection.value['model'] ?? host.value('model_id');
  const model = models.find(each => [each.id, each.name, each.repo_id].includes(wanted as string));
  if (model?.state === 'ready') {
    return <ArchitectureView model={model} />;
  }
  return (
    <div class="jp-mistudio-panel" data-testid="mistudio-architecture">
      <TableState table={store.models}>
        {models.length === 0 ? (
          <EmptyState title={t('models.empty')} text={t('models.empty.text')}>
            <SampleModelButton
              primary
              onAdded={added => host.select({ ...host.selection.peek(), model: added.id })}
            />
          </EmptyState>
        ) : (
          <SelectField
            label={t('architecture.pick')}
            value={model?.id ?? ''}
            options={[
              { value: '', label: t('extract.choose') },
              ...models.map(each => ({
                value: each.id,
                label: each.name,
                disabled: each.state !== 'ready'
              }))
            ]}
            onChange={id => host.select({ ...host.selection.peek(), model: id })}
          />
        )}
      </TableState>
    </div>
  );
}
