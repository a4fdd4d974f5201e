import { usePanel } from '../context';
import { t } from '../messages';
import type { Store } from '../store';
import type { Model } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { useAction } from '../ui/hooks';

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
  const add = useAction(async () => {
    const model = await addSampleModel(store);
    onAdded?.(model);
  });
  if (store.models.list.value.some(model => model.source === 'sample')) {
    return null;
  }
  return (
    <>
      <Button kind={primary ? 'primary' : 'normal'} busy={add.busy} onClick={() => void add.run()}>
        {t('models.addSample')}
      </Button>
      {add.error && <ErrorNote error={add.error} onDismiss={add.clear} />}
    </>
  );
}
