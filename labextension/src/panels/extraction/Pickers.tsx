import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { AddDataset } from '../datasets/AddDataset';
import { datasetMeta } from '../datasets/DatasetsPanel';
import { SampleDatasetButton } from '../datasets/SampleButton';
import { JobProgress } from '../jobs/JobProgress';
import { integer } from '../lib/format';
import { t, tData } from '../messages';
import { AddModel } from '../models/AddModel';
import { distinct } from '../models/list';
import { modelMeta } from '../models/ModelsPanel';
import { SampleModelButton } from '../models/SampleButton';
import type { Dataset, Model } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { SelectField } from '../ui/Field';

interface PickerProps<T> {
  value: T | null;
  onChange: (id: string | null) => void;
  error: string | null;
}

function options(records: readonly { id: string; name: string; state: string }[]) {
  return [
    { value: '', label: t('extract.choose') },
    ...records.map(record => ({
      value: record.id,
      label:
        record.state === 'ready'
          ? record.name
          : `${record.name} (${tData('state', record.state).toLowerCase()})`
    }))
  ];
}

/** What keeps the chosen record from being used: its import, or the import's failure. */
function Pending({ record }: { record: Dataset | Model }) {
  const { store } = usePanel();
  const job = store.jobs.get(record.job_id);
  if (record.state === 'pending' && job) {
    return <JobProgress job={job} label={record.name} />;
  }
  const error = record.state === 'failed' ? (record.error ?? job?.error ?? null) : null;
  return error ? <ErrorNote error={error} /> : null;
}

interface DatasetPickerProps extends PickerProps<Dataset> {
  split: string;
  onSplit: (split: string) => void;
  splitError: string | null;
}

/** Chooses a dataset and a split; adds one where it is missing. */
export function DatasetPicker(props: DatasetPickerProps) {
  const { store } = usePanel();
  const [adding, setAdding] = useState(false);
  const { value, onChange } = props;
  const added = (dataset: Dataset): void => {
    setAdding(false);
    onChange(dataset.id);
  };
  return (
    <div class="jp-mistudio-picker">
      <div class="jp-mistudio-fields">
        <SelectField
          label={t('extract.dataset')}
          value={value?.id ?? ''}
          options={options(store.datasets.list.value)}
          onChange={id => onChange(id || null)}
          hint={value?.state === 'ready' ? datasetMeta(value) : undefined}
          error={props.error}
        />
        {value && value.splits.length > 0 && (
          <SelectField
            label={t('field.split')}
            value={props.split}
            options={value.splits.map(split => ({
              value: split.name,
              label: `${split.name} (${integer(split.n_rows)})`
            }))}
            onChange={props.onSplit}
            error={props.splitError}
          />
        )}
      </div>
      {value && <Pending record={value} />}
      {!adding && (
        <div class="jp-mistudio-actions">
          <SampleDatasetButton onAdded={added} />
          <Button kind="quiet" icon="add" onClick={() => setAdding(true)}>
            {t('datasets.add')}
          </Button>
        </div>
      )}
      {adding && <AddDataset onAdded={added} onClose={() => setAdding(false)} />}
    </div>
  );
}

/** Chooses a model; adds one where it is missing. */
export function ModelPicker({ value, onChange, error }: PickerProps<Model>) {
  const { store } = usePanel();
  const [adding, setAdding] = useState(false);
  const added = (model: Model): void => {
    setAdding(false);
    onChange(model.id);
  };
  return (
    <div class="jp-mistudio-picker">
      <SelectField
        label={t('extract.model')}
        value={value?.id ?? ''}
        options={options(distinct(store.models.list.value))}
        onChange={id => onChange(id || null)}
        hint={value?.state === 'ready' ? modelMeta(value) : undefined}
        error={error}
      />
      {value && <Pending record={value} />}
      {!adding && (
        <div class="jp-mistudio-actions">
          <SampleModelButton onAdded={added} />
          <Button kind="quiet" icon="add" onClick={() => setAdding(true)}>
            {t('models.add')}
          </Button>
        </div>
      )}
      {adding && <AddModel onAdded={added} onClose={() => setAdding(false)} />}
    </div>
  );
}
