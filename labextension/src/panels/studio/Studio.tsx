import { computed } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import { useMemo } from 'preact/hooks';
import { ActivationsPanel } from '../activations/ActivationsPanel';
import { asSelection, scopedHost } from '../afm';
import type { Host } from '../afm';
import { PanelContext, usePanel } from '../context';
import { DatasetsPanel } from '../datasets/DatasetsPanel';
import { ExtractionPanel } from '../extraction/ExtractionPanel';
import { JobsPanel } from '../jobs/JobsPanel';
import { t } from '../messages';
import { ModelsPanel } from '../models/ModelsPanel';
import { MonitorPanel } from '../monitor/MonitorPanel';
import { Tabs } from '../ui/Tabs';

const ROOMS: Record<string, FunctionComponent> = {
  datasets: DatasetsPanel,
  models: ModelsPanel,
  extract: ExtractionPanel,
  jobs: JobsPanel,
  activations: ActivationsPanel,
  monitor: MonitorPanel
};

/** All panels behind tabs. Each keeps its own part of the selection: `{tab, extract: {…}, …}`. */
export function Studio() {
  const { host, store } = usePanel();
  const hosts = useMemo(() => roomsOf(host), [host]);
  const wanted = host.selection.value['tab'];
  const tab = typeof wanted === 'string' && wanted in ROOMS ? wanted : 'extract';
  const Room = ROOMS[tab] ?? ExtractionPanel;
  const room = hosts[tab];
  const active = store.activeJobs.value.length;
  const panel = useMemo(() => (room ? { store, host: room } : null), [store, room]);
  return (
    <div class="jp-mistudio-studio">
      <Tabs
        label={t('tabs.label')}
        selected={tab}
        onSelect={id => host.select({ ...host.selection.peek(), tab: id })}
        tabs={[
          { id: 'datasets', label: t('tab.datasets'), icon: 'datasets' },
          { id: 'models', label: t('tab.models'), icon: 'models' },
          { id: 'extract', label: t('tab.extract'), icon: 'extract' },
          {
            id: 'jobs',
            label: t('tab.jobs'),
            icon: 'jobs',
            badge: active > 0 ? String(active) : undefined,
            badgeLabel: t('tab.jobs.active', { n: active })
          },
          { id: 'activations', label: t('tab.activations'), icon: 'activations' },
          { id: 'monitor', label: t('tab.monitor'), icon: 'monitor' }
        ]}
      >
        <PanelContext.Provider value={panel}>
          <Room key={tab} />
        </PanelContext.Provider>
      </Tabs>
    </div>
  );
}

function roomsOf(host: Host): Record<string, Host> {
  const open: Host['open'] = (room, selection) => {
    const before = host.selection.peek();
    const part = selection ? { [room]: { ...asSelection(before[room]), ...selection } } : {};
    host.select({ ...before, ...part, tab: room });
  };
  return Object.fromEntries(
    Object.keys(ROOMS).map(room => [
      room,
      scopedHost(
        host,
        room,
        computed(() => asSelection(host.selection.value[room])),
        open
      )
    ])
  );
}
