import { useEffect } from 'preact/hooks';
import { usePanel } from '../context';
import { duration } from '../lib/format';
import { t } from '../messages';
import { ErrorNote } from '../ui/ErrorNote';
import { useFetch } from '../ui/hooks';
import { DeviceView } from './DeviceView';
import { spanOf } from './Sparkline';
import { StorageView } from './StorageView';

/** The machine: processor and GPUs with their last minutes, who uses them, and the disk. */
export function MonitorPanel() {
  const { store } = usePanel();
  const history = useFetch('history', () => store.monitor.load());
  useEffect(() => {
    if (store.connection.value === 'connected') {
      history.reload();
    }
  }, [store.connection.value]);
  const devices = (store.monitor.now.value ?? store.system.value)?.devices ?? [];
  const samples = store.monitor.samples.value;
  const span = spanOf(samples[0]?.at, samples[samples.length - 1]?.at);
  return (
    <div class="jp-mistudio-panel" data-testid="mistudio-monitor">
      <div class="jp-mistudio-toolbar">
        <h2>{t('monitor.title')}</h2>
        {samples.length > 0 && (
          <span class="jp-mistudio-aside">{t('monitor.span', { time: duration(span) })}</span>
        )}
      </div>
      {history.error && <ErrorNote error={history.error} onRetry={history.reload} />}
      {devices.length === 0 && !history.error && (
        <p class="jp-mistudio-hint">{t('list.loading')}</p>
      )}
      {devices.map(device => (
        <DeviceView key={device.id} device={device} />
      ))}
      <StorageView />
    </div>
  );
}
