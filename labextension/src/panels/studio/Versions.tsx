import { VERSION } from '../../version';
import { usePanel } from '../context';
import { t } from '../messages';
import { WarningNote } from '../ui/ErrorNote';

/** Says that server, page and kernel are not of one version; silent otherwise. */
export function Versions() {
  const { host, store } = usePanel();
  const server = store.system.value?.version;
  if (!server) {
    return null;
  }
  const kernel = host.value('kernel_version');
  const page = [VERSION, host.value('page_version')].find(each => each && each !== server);
  return (
    <div role="status">
      {Boolean(page) && (
        <WarningNote message={t('versions.page', { server, page: String(page) })} />
      )}
      {Boolean(kernel) && kernel !== server && (
        <WarningNote message={t('versions.kernel', { server, kernel: String(kernel) })} />
      )}
    </div>
  );
}
