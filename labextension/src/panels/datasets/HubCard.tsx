import { useState } from 'preact/hooks';
import { bytes, integer } from '../lib/format';
import { count, t } from '../messages';
import type { DatasetRequest } from '../types';
import { CheckField } from '../ui/CheckField';
import { Facts } from '../ui/Facts';
import type { Fact } from '../ui/Facts';
import { NumberField, SelectField } from '../ui/Field';
import type { HubDataset, HubSplit } from './types';

interface Choice {
  config: string;
  /** Splits and columns that are left out. */
  splits: ReadonlySet<string>;
  columns: ReadonlySet<string>;
  text: string;
  rows: number | null;
}

const NONE: ReadonlySet<string> = new Set();

interface Props {
  dataset: HubDataset;
  onChange: (choice: DatasetRequest) => void;
}

/** What a repository has, and which part of it is wanted. */
export function HubCard({ dataset, onChange }: Props) {
  const first = dataset.configs.find(config => config.default) ?? dataset.configs[0];
  const [choice, setChoice] = useState<Choice>({
    config: first?.name ?? '',
    splits: NONE,
    columns: NONE,
    text: '',
    rows: null
  });
  const config = dataset.configs.find(each => each.name === choice.config) ?? first;
  const columns = config?.columns ?? [];
  const set = (part: Partial<Choice>): void => {
    const next = { ...choice, ...part };
    setChoice(next);
    onChange(requestOf(dataset, next));
  };
  return (
    <div class="jp-mistudio-hubcard" data-testid="mistudio-hubcard">
      <Facts facts={factsOf(dataset)} label={dataset.repo_id} />
      {dataset.configs.length > 1 && (
        <SelectField
          label={t('field.config')}
          value={choice.config}
          options={dataset.configs.map(each => ({ value: each.name, label: each.name }))}
          onChange={name => set({ config: name, splits: NONE, columns: NONE, text: '' })}
        />
      )}
      {config && config.splits.length > 0 && (
        <Choices
          legend={t('hubCard.splits')}
          items={config.splits.map(split => ({ name: split.name, label: splitLabel(split) }))}
          left={choice.splits}
          onChange={splits => set({ splits })}
        />
      )}
      {columns.length > 1 && (
        <Choices
          legend={t('datasets.columns')}
          items={columns.map(({ name, dtype }) => ({ name, label: `${name} (${dtype})` }))}
          left={choice.columns}
          onChange={left => set({ columns: left, text: left.has(choice.text) ? '' : choice.text })}
        />
      )}
      <div class="jp-mistudio-fields">
        {columns.length > 0 && (
          <SelectField
            label={t('field.textColumn')}
            value={choice.text}
            options={[
              { value: '', label: t('hubCard.column.auto') },
              ...columns
                .filter(({ name }) => !choice.columns.has(name))
                .map(({ name }) => ({ value: name, label: name }))
            ]}
            onChange={text => set({ text })}
          />
        )}
        <NumberField
          label={t('field.maxRows')}
          hint={t('hubCard.maxRows.hint')}
          optional
          value={choice.rows}
          onChange={rows => set({ rows })}
        />
      </div>
    </div>
  );
}

/** The request for what is chosen; what is not narrowed is not named. */
function requestOf(dataset: HubDataset, choice: Choice): DatasetRequest {
  const config = dataset.configs.find(each => each.name === choice.config);
  return {
    source: 'hub',
    ...(config && dataset.configs.length > 1 ? { config: config.name } : {}),
    ...(choice.splits.size > 0 ? { splits: without(config?.splits, choice.splits) } : {}),
    ...(choice.columns.size > 0 ? { columns: without(config?.columns, choice.columns) } : {}),
    ...(choice.text === '' ? {} : { text_column: choice.text }),
    ...(choice.rows === null ? {} : { max_rows: choice.rows })
  };
}

type Named = readonly { name: string }[];

function without(items: Named | null | undefined, left: ReadonlySet<string>): string[] {
  return (items ?? []).map(item => item.name).filter(name => !left.has(name));
}

function factsOf(dataset: HubDataset): Fact[] {
  const facts: Fact[] = [
    [t('hubCard.license'), dataset.license ?? t('hubCard.license.none')],
    [t('fact.size'), bytes(dataset.total_bytes)],
    [t('hubCard.files'), integer(dataset.n_files)]
  ];
  if (dataset.gated) {
    facts.push([t('hubCard.access'), t('hubSearch.gated')]);
  }
  return facts;
}

function splitLabel({ name, n_rows, download_bytes }: HubSplit): string {
  return [
    name,
    n_rows === null ? '' : count(n_rows, 'row', integer(n_rows)),
    download_bytes === null ? '' : bytes(download_bytes)
  ]
    .filter(Boolean)
    .join(' · ');
}

interface ChoicesProps {
  legend: string;
  items: readonly { name: string; label: string }[];
  left: ReadonlySet<string>;
  onChange: (left: ReadonlySet<string>) => void;
}

/** All of these, but those that are unticked. */
function Choices({ legend, items, left, onChange }: ChoicesProps) {
  return (
    <fieldset class="jp-mistudio-splits">
      <legend>{legend}</legend>
      {items.map(({ name, label }) => (
        <CheckField
          key={name}
          label={label}
          checked={!left.has(name)}
          onChange={wanted => {
            const next = new Set(left);
            if (wanted) {
              next.delete(name);
            } else {
              next.add(name);
            }
            onChange(next);
          }}
        />
      ))}
    </fieldset>
  );
}
