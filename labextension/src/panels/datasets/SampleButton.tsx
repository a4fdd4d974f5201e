import { usePanel } from '../context';
import { t } from '../messages';
import type { Dataset } from '../types';
import type { Store } from '../store';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { useAction } from '../ui/hooks';

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
  const add = useAction(async () => {
    const dataset = await addSampleDataset(store);
    onAdded?.(dataset);
  });
  if (store.datasets.list.value.some(dataset => dataset.source === 'sample')) {
    return null;
  }
  return (
    <>
      <Button kind={primary ? 'primary' : 'normal'} busy={add.busy} onClick={() => void add.run()}>
        {t('datasets.addSample')}
      </Button>
      {add.error && <ErrorNote error={add.error} onDismiss={add.clear} />}
    </>
  );
}
