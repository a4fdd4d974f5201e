import { usePanel } from '../context';
import { t } from '../messages';
import type { Model } from '../types';
import { useFetch } from '../ui/hooks';
import { consequences } from './dependents';

/** "Delete …?", with what depends on the models and what it frees, once the server has said it. */
export function DeleteQuestion({ models }: { models: readonly Model[] }) {
  const { store } = usePanel();
  const ids = models.map(model => model.id);
  const found = useFetch(ids.join(' '), signal =>
    Promise.all(ids.map(id => store.api.modelDependents(id, signal)))
  );
  const used = found.value?.find(each => each.in_use)?.in_use;
  return (
    <>
      <strong>{t('many.question', { names: models.map(model => model.name).join(', ') })}</strong>
      {found.error && <p>{found.error.message}</p>}
      {!found.value && !found.error && <p>{t('many.reading')}</p>}
      {used && <p>{used}</p>}
      {found.value && <p>{consequences(ids, found.value).join(' ')}</p>}
    </>
  );
}
