import { t, tData } from '../messages';
import type { Model } from '../types';
import { Button } from '../ui/Button';
import { SelectField, TextField } from '../ui/Field';
import type { Option } from '../ui/Field';
import { Disclosure } from '../ui/Section';
import { isFiltered, NO_FILTER, occurring, SIZES } from './list';
import type { Filter, Sort } from './list';

const SORTS: Sort[] = ['newest', 'name', 'params', 'size'];

interface Props {
  models: readonly Model[];
  filter: Filter;
  onChange: (filter: Filter) => void;
  /** How many the filter lets through. */
  n: number;
}

/** By name at once; by family, size, format and state, and the order, folded away. */
export function Filters({ models, filter, onChange, n }: Props) {
  const set = (values: Partial<Filter>): void => onChange({ ...filter, ...values });
  const any: Option = { value: '', label: t('filter.any') };
  const plain = (key: 'family' | 'format'): Option[] => [
    any,
    ...occurring(models, key).map(value => ({ value, label: value }))
  ];
  return (
    <div class="jp-mistudio-filters" role="search" aria-label={t('filter.label')}>
      <TextField
        label={t('filter.text')}
        type="search"
        value={filter.text}
        onChange={text => set({ text })}
      />
      <Disclosure
        title={t('filter.label')}
        aside={isFiltered(filter) ? t('filter.shown', { n, total: models.length }) : undefined}
      >
        <div class="jp-mistudio-filter-grid">
          <SelectField
            label={t('filter.family')}
            value={filter.family}
            options={plain('family')}
            onChange={family => set({ family })}
          />
          <SelectField
            label={t('filter.size')}
            value={filter.size}
            options={[
              any,
              ...Object.keys(SIZES).map(value => ({ value, label: tData('filter.size', value) }))
            ]}
            onChange={size => set({ size })}
          />
          <SelectField
            label={t('filter.format')}
            value={filter.format}
            options={plain('format')}
            onChange={format => set({ format })}
          />
          <SelectField
            label={t('filter.state')}
            value={filter.state}
            options={[
              any,
              ...occurring(models, 'state').map(value => ({ value, label: tData('state', value) }))
            ]}
            onChange={state => set({ state })}
          />
          <SelectField
            label={t('filter.sort')}
            value={filter.sort}
            options={SORTS.map(value => ({ value, label: t(`filter.sort.${value}`) }))}
            onChange={sort => set({ sort: sort as Sort })}
          />
          {isFiltered(filter) && (
            <Button onClick={() => onChange({ ...NO_FILTER, sort: filter.sort })}>
              {t('filter.clear')}
            </Button>
          )}
        </div>
      </Disclosure>
    </div>
  );
}
