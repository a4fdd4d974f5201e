import { t } from '../messages';
import type { Dataset } from '../types';
import { usePanel } from '../context';
import { NumberField, SelectField, TextField } from '../ui/Field';
import { Disclosure } from '../ui/Section';
import { tokenizationName } from './Statistics';
import type { Tokenization } from './types';

/** What narrows the samples beside their words. */
export interface Filters {
  tokenization: string;
  min: number | null;
  max: number | null;
  /** A text whose tokens are looked for in a row. */
  tokens: string;
  /** A further column that is shown with each text. */
  column: string;
  /** Only rows whose cell of this column has this value. */
  where: string;
  value: string;
}

export const NO_FILTERS: Filters = {
  tokenization: '',
  min: null,
  max: null,
  tokens: '',
  column: '',
  where: '',
  value: ''
};

/** The part of a request for samples that the filters make. */
export function filterQuery(filters: Filters): Record<string, string | number | null> {
  const { tokenization, min, max, tokens, column, where, value } = filters;
  return {
    columns: column,
    where: chooses(filters) ? `${where}:${value}` : null,
    ...(tokenization === ''
      ? {}
      : {
          tokenization,
          min_tokens: min,
          max_tokens: max,
          tokens: tokens.trim() === '' ? null : tokens
        })
  };
}

const chooses = ({ where, value }: Filters): boolean => where !== '' && value !== '';

/** How many filters leave rows out. */
export function active(filters: Filters): number {
  const { tokenization, min, max, tokens } = filters;
  const byTokens = [min !== null, max !== null, tokens.trim() !== ''];
  return [chooses(filters), ...(tokenization === '' ? [] : byTokens)].filter(Boolean).length;
}

interface Props {
  dataset: Dataset;
  tokenizations: readonly Tokenization[];
  filters: Filters;
  onChange: (filters: Filters) => void;
  errorAt: (...fields: string[]) => string | null;
}

/** Length in tokens, a sequence of tokens, a further column. */
export function SampleFilters({ dataset, tokenizations, filters, onChange, errorAt }: Props) {
  const { store } = usePanel();
  const set = (part: Partial<Filters>): void => onChange({ ...filters, ...part });
  const others = dataset.columns.filter(column => column.name !== dataset.text_column);
  const n = active(filters);
  return (
    <Disclosure
      title={t('filters.title')}
      aside={n > 0 ? t('filters.active', { n }) : undefined}
      open={n > 0}
    >
      <div class="jp-mistudio-fields">
        <SelectField
          label={t('filters.tokenization')}
          hint={tokenizations.length === 0 ? t('filters.tokenization.none') : undefined}
          value={filters.tokenization}
          options={[
            { value: '', label: t('filters.any') },
            ...tokenizations.map(each => ({
              value: each.id,
              label: tokenizationName(each, store.models)
            }))
          ]}
          onChange={tokenization => set({ tokenization })}
        />
        {filters.tokenization !== '' && (
          <>
            <NumberField
              label={t('filters.min')}
              optional
              value={filters.min}
              onChange={min => set({ min })}
              error={errorAt('min_tokens')}
            />
            <NumberField
              label={t('filters.max')}
              optional
              value={filters.max}
              onChange={max => set({ max })}
              error={errorAt('max_tokens')}
            />
            <TextField
              label={t('filters.tokens')}
              hint={t('filters.tokens.hint')}
              optional
              type="search"
              value={filters.tokens}
              onChange={tokens => set({ tokens })}
              error={errorAt('tokens', 'token_ids')}
            />
          </>
        )}
        {others.length > 0 && (
          <SelectField
            label={t('filters.where')}
            value={filters.where}
            options={[
              { value: '', label: t('filters.any') },
              ...others.map(column => ({ value: column.name, label: column.name }))
            ]}
            onChange={where => set({ where, value: '' })}
          />
        )}
        {filters.where !== '' && (
          <TextField
            label={t('filters.value', { column: filters.where })}
            type="search"
            value={filters.value}
            onChange={value => set({ value })}
            error={errorAt('where')}
          />
        )}
        {others.length > 0 && (
          <SelectField
            label={t('filters.column')}
            value={filters.column}
            options={[
              { value: '', label: t('filters.column.none') },
              ...others.map(column => ({ value: column.name, label: column.name }))
            ]}
            onChange={column => set({ column })}
          />
        )}
      </div>
    </Disclosure>
  );
}
