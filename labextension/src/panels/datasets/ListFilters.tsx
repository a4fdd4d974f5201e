import { t, tData } from '../messages';
import type { Dataset } from '../types';
import { SelectField, TextField } from '../ui/Field';
import type { ListFilter, Order } from './list';

interface Props {
  datasets: readonly Dataset[];
  filter: ListFilter;
  onChange: (filter: ListFilter) => void;
}

const ORDERS: readonly Order[] = ['newest', 'name', 'rows', 'bytes'];

export function ListFilters({ datasets, filter, onChange }: Props) {
  const sources = [...new Set(datasets.map(each => each.source))].sort();
  return (
    <div class="jp-mistudio-fields" role="search" aria-label={t('datasets.filter')}>
      <TextField
        label={t('datasets.filter.name')}
        type="search"
        value={filter.text}
        onChange={text => onChange({ ...filter, text })}
      />
      {sources.length > 1 && (
        <SelectField
          label={t('source.label')}
          value={filter.source}
          options={[
            { value: '', label: t('filters.any') },
            ...sources.map(source => ({ value: source, label: tData('source', source) }))
          ]}
          onChange={source => onChange({ ...filter, source })}
        />
      )}
      <SelectField
        label={t('datasets.order')}
        value={filter.order}
        options={ORDERS.map(order => ({ value: order, label: tData('datasets.order', order) }))}
        onChange={order => onChange({ ...filter, order: order as Order })}
      />
    </div>
  );
}
