import { usePanel } from '../context';
import type { Store } from '../store';
import type { Model } from '../types';
import { SampleButton } from '../ui/SampleButton';

/** Registers the bundled model; if it is there already, gives it back. */
export function addSampleModel(store: Store): Promise<Model> {
  return store.addModel({ source: 'sample' });
}

interface Props {
  primary?: boolean;
  onAdded?: (model: Model) => void;
}

/** "Add sample model", as long as it is not there. */
export function SampleModelButton({ primary, onAdded }: Props) {
  const { store } = usePanel();
  return (
    <SampleButton
      label="models.addSample"
      records={store.models.list.value}
      add={async () => {
        const model = await addSampleModel(store);
        onAdded?.(model);
      }}
      primary={primary}
    />
  );
}
