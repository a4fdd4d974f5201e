import type { ComponentChildren } from 'preact';
import { usePanel } from '../context';
import { t } from '../messages';
import type { Table } from '../table';
import { ErrorNote } from './ErrorNote';

interface Props {
  // Only what all tables have in common is read here.
  table: Pick<Table<never>, 'loaded' | 'error'>;
  children: ComponentChildren;
}

/** A table's content; before it has come, a calm line; if it cannot come, why. */
export function TableState({ table, children }: Props) {
  const { store } = usePanel();
  const error = table.error.value;
  return (
    <>
      {error && <ErrorNote error={error} onRetry={() => void store.refresh()} />}
      {table.loaded.value
        ? children
        : !error && (
            <div class="jp-mistudio-loading" role="status">
              {t('list.loading')}
            </div>
          )}
    </>
  );
}
