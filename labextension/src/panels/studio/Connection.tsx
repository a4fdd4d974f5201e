import { usePanel } from '../context';
import { t } from '../messages';
import { Icon } from '../ui/Icon';

/** Says that live updates are interrupted, as long as they are; silent otherwise. */
export function Connection() {
  const { store } = usePanel();
  const lost = store.connection.value === 'reconnecting';
  return (
    <div
      class="jp-mistudio-connection"
      role="status"
      title={lost ? t('connection.reconnecting.title') : undefined}
      data-state={store.connection.value}
    >
      {lost && (
        <>
          <Icon name="spinner" /> {t('connection.reconnecting')}
        </>
      )}
    </div>
  );
}
