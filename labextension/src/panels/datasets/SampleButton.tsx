import { usePanel } from '../context';
import type { Dataset } from '../types';
import type { Store } from '../store';
import { SampleButton } from '../ui/SampleButton';

/** Registers the bundled dataset; if it is there already, gives it back. */
export function addSampleDataset(store: Store): Promise<Dataset> {
  return store.addDataset({ source: 'sample' });
}

interface Props {
  primary?: boolean;
  onAdded?: (dataset: Dataset) => void;
}

/** "Add sample dataset", as long as it is not there. */
export function SampleDatasetButton({ primary, onAdded }: Props) {
  const { store } = usePanel();
  return (
    <SampleButton
      label="datasets.addSample"
      records={store.datasets.list.value}
      add={async () => {
        const dataset = await addSampleDataset(store);
        onAdded?.(dataset);
      }}
      primary={primary}
    />
  );
}
