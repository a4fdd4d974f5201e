import { useEffect, useState } from 'preact/hooks';
import { usePanel } from '../context';
import { bytes, percent } from '../lib/format';
import { t, tData } from '../messages';
import { Button } from '../ui/Button';
import { Confirm } from '../ui/Confirm';
import { ErrorNote } from '../ui/ErrorNote';
import { useAction, useFetch } from '../ui/hooks';
import { Disclosure, Section } from '../ui/Section';
import type { Storage, StorageCategory, StorageItem } from './types';

/** Items of a category that are shown before being asked for more. */
const FIRST = 8;

/** The disk: what is used of it and by what, and how to get it back. */
export function StorageView() {
  const { store } = usePanel();
  const storage = useFetch<Storage>('storage', signal =>
    store.api.request('GET', 'system/storage', { signal })
  );
  // What was made or deleted meanwhile, here or elsewhere, changes the numbers.
  const records = [store.datasets, store.models, store.extractions]
    .map(table => table.list.value.map(record => `${record.id}${record.state}`).join())
    .join(';');
  useEffect(storage.reload, [records]);
  const disk = storage.value;
  return (
    <Section
      title={t('monitor.disk')}
      aside={disk ? t('monitor.used', { bytes: bytes(disk.used) }) : undefined}
    >
      {storage.error && <ErrorNote error={storage.error} onRetry={storage.reload} />}
      {!disk && storage.loading && <p class="jp-mistudio-hint">{t('list.loading')}</p>}
      {disk && (
        <>
          <Room disk={disk} />
          <HubCache disk={disk} />
          {disk.categories
            .filter(category => category.bytes > 0)
            .map(category => (
              <Category
                key={category.name}
                category={category}
                whole={disk.used}
                onDeleted={storage.reload}
              />
            ))}
        </>
      )}
    </Section>
  );
}

/** How much may still be written: up to the quota, or until only the reserve is free. */
function Room({ disk }: { disk: Storage }) {
  const free = Math.max(0, disk.free - disk.reserve);
  const left = disk.quota === null ? free : Math.min(free, Math.max(0, disk.quota - disk.used));
  const share = disk.used / Math.max(1, disk.used + left);
  const text = t('monitor.left', { bytes: bytes(left) });
  return (
    <>
      <div
        class={`jp-mistudio-bar${share > 0.9 ? ' jp-mistudio-mod-full' : ''}`}
        role="meter"
        aria-label={t('monitor.disk')}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(share * 100)}
        aria-valuetext={text}
      >
        <div style={{ width: `${share * 100}%` }} />
      </div>
      <div class="jp-mistudio-row-meta">
        {[
          text,
          disk.quota !== null && t('monitor.quota', { bytes: bytes(disk.quota) }),
          t('monitor.reserve', { bytes: bytes(disk.reserve) })
        ]
          .filter(Boolean)
          .join(' · ')}
      </div>
      <div class="jp-mistudio-hint">
        <code>{disk.path}</code>
      </div>
    </>
  );
}

/** The rest of the Hub's cache: other programs use it too, so it belongs to no quota. */
function HubCache({ disk: { hub_cache: cache, quota } }: { disk: Storage }) {
  if (cache.bytes === 0) {
    return null;
  }
  return (
    <p class="jp-mistudio-hint" title={cache.path}>
      {t(quota === null ? 'monitor.cache.noQuota' : 'monitor.cache', {
        bytes: bytes(cache.bytes),
        counted: bytes(cache.counted)
      })}
    </p>
  );
}

interface CategoryProps {
  category: StorageCategory;
  whole: number;
  onDeleted: () => void;
}

function Category({ category, whole, onDeleted }: CategoryProps) {
  const [all, setAll] = useState(false);
  const share = category.bytes / Math.max(1, whole);
  const shown = all ? category.items : category.items.slice(0, FIRST);
  return (
    <div class="jp-mistudio-storage" data-testid={`mistudio-storage-${category.name}`}>
      <Disclosure
        title={tData('monitor.category', category.name)}
        aside={`${bytes(category.bytes)} · ${percent(share)}`}
        under={
          <div class="jp-mistudio-bar" aria-hidden="true">
            <div style={{ width: `${share * 100}%` }} />
          </div>
        }
      >
        {category.name === 'leftovers' && <CleanUp onDeleted={onDeleted} />}
        <ul class="jp-mistudio-holders">
          {shown.map(item => (
            <Item key={item.id} item={item} category={category.name} onDeleted={onDeleted} />
          ))}
        </ul>
        {category.shared > 0 && (
          <p class="jp-mistudio-hint">{t('monitor.shared', { bytes: bytes(category.shared) })}</p>
        )}
        {shown.length < category.items.length && (
          <Button onClick={() => setAll(true)}>{t('action.showAll')}</Button>
        )}
      </Disclosure>
    </div>
  );
}

/** The route that deletes an item, null where it goes with something else. */
function routeOf(category: string, item: StorageItem): string | null {
  const id = encodeURIComponent(item.id);
  if (category === 'tokenizations') {
    return item.parent ? `datasets/${encodeURIComponent(item.parent)}/tokenizations/${id}` : null;
  }
  return ['datasets', 'models', 'extractions', 'uploads'].includes(category)
    ? `${category}/${id}`
    : null;
}

interface ItemProps {
  item: StorageItem;
  category: string;
  onDeleted: () => void;
}

function Item({ item, category, onDeleted }: ItemProps) {
  const { store } = usePanel();
  const [asking, setAsking] = useState(false);
  const route = routeOf(category, item);
  const remove = useAction(async () => {
    await store.api.request('DELETE', route ?? '');
    onDeleted();
  });
  return (
    <li>
      <span>{item.name}</span>
      <span class="jp-mistudio-aside">{bytes(item.bytes)}</span>
      {route && (
        <Button
          kind="quiet"
          icon="trash"
          label={t('action.deleteNamed', { name: item.name })}
          onClick={() => setAsking(true)}
        />
      )}
      {asking && (
        <Confirm
          question={t('monitor.delete', { name: item.name, bytes: bytes(item.bytes) })}
          action={t('action.delete')}
          busy={remove.busy}
          onConfirm={() => void remove.run()}
          onCancel={() => setAsking(false)}
        />
      )}
      {remove.error && <ErrorNote error={remove.error} onDismiss={remove.clear} />}
    </li>
  );
}

function CleanUp({ onDeleted }: { onDeleted: () => void }) {
  const { store } = usePanel();
  const clean = useAction(async () => {
    await store.api.request('POST', 'system/leftovers/clean', { body: {} });
    onDeleted();
  });
  return (
    <>
      <p class="jp-mistudio-hint">{t('monitor.leftovers.text')}</p>
      <Button busy={clean.busy} onClick={() => void clean.run()}>
        {t('monitor.leftovers.clean')}
      </Button>
      {clean.error && <ErrorNote error={clean.error} onDismiss={clean.clear} />}
    </>
  );
}
