import { usePanel } from '../context';
import { bytes, integer } from '../lib/format';
import { count, t } from '../messages';
import type { Dataset } from '../types';
import { useFetch } from '../ui/hooks';
import { doomed } from './rest';

/** What deleting takes along and what it frees, asked of the server before anything is deleted. */
export function DeleteQuestion({ datasets }: { datasets: readonly Dataset[] }) {
  const { store } = usePanel();
  const ids = datasets.map(each => each.id);
  const found = useFetch(ids.join(), signal => doomed(store.api, ids, signal));
  const value = found.loading ? null : found.value;
  const n = value?.items.filter(item => item.kind === 'tokenization').length ?? 0;
  return (
    <>
      <div>{t('many.question', { names: datasets.map(each => each.name).join(', ') })}</div>
      {found.loading && <div class="jp-mistudio-hint">{t('many.reading')}</div>}
      {value && (
        <ul class="jp-mistudio-hint">
          <li>{t('many.frees', { bytes: bytes(value.freed_bytes) })}</li>
          {n > 0 && (
            <li>{t('datasets.delete.with', { what: count(n, 'tokenization', integer(n)) })}</li>
          )}
          {value.extractions.length > 0 && (
            <li>
              {t('datasets.delete.keeps', {
                names: value.extractions.map(each => each.name).join(', ')
              })}
            </li>
          )}
          {value.failed.map(each => (
            <li key={each.id}>{[each.message, each.hint].filter(Boolean).join(' ')}</li>
          ))}
        </ul>
      )}
    </>
  );
}
