import type { Api } from '../api';
import { usePanel } from '../context';
import { bytes } from '../lib/format';
import { t } from '../messages';
import type { ModelRequest } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { useAction, useFetch } from '../ui/hooks';

/** A model that is on this machine already, and how to register it without a copy. */
interface Found {
  name: string;
  bytes: number | null;
  where: 'cache' | 'shared';
  request: ModelRequest;
  registered: string | null;
  safe: boolean;
}

interface Cached {
  repo_id: string;
  revision: string;
  size_bytes: number | null;
  registered: string | null;
  safe?: boolean;
}

interface Folder {
  path: string;
  name: string;
  size_bytes: number | null;
  registered: string | null;
}

async function lookAround(api: Api, signal: AbortSignal): Promise<Found[]> {
  const [cache, shared] = await Promise.all([
    api.request<{ repositories: Cached[] }>('GET', 'hub/cache', { signal }),
    api.request<{ folders: Folder[] }>('GET', 'models/folders', { signal })
  ]);
  return [
    ...shared.folders.map(({ name, path, size_bytes, registered }): Found => {
      const request: ModelRequest = { source: 'path', path };
      return { name, bytes: size_bytes, where: 'shared', request, registered, safe: true };
    }),
    ...cache.repositories.map(({ repo_id, revision, size_bytes, registered, safe }): Found => {
      const request: ModelRequest = { source: 'hub', repo_id, revision };
      const found = { name: repo_id, bytes: size_bytes, registered, safe: safe ?? true };
      return { ...found, where: 'cache', request };
    })
  ];
}

interface Props {
  onAdd: (request: ModelRequest) => Promise<void>;
}

/** What lies in the Hugging Face cache and in shared folders: registered in place. */
export function FoundHere({ onAdd }: Props) {
  const { store } = usePanel();
  const found = useFetch('found', signal => lookAround(store.api, signal));
  if (found.error) {
    return <ErrorNote error={found.error} onRetry={found.reload} />;
  }
  if (!found.value) {
    return (
      <div class="jp-mistudio-loading" role="status">
        {t('list.loading')}
      </div>
    );
  }
  if (found.value.length === 0) {
    return <p class="jp-mistudio-hint">{t('models.here.none')}</p>;
  }
  return (
    <ul class="jp-mistudio-list" aria-label={t('models.from.here')}>
      {found.value.map(each => (
        <FoundRow key={`${each.where} ${each.name}`} found={each} onAdd={onAdd} />
      ))}
    </ul>
  );
}

function FoundRow({ found, onAdd }: Props & { found: Found }) {
  const { store } = usePanel();
  const add = useAction(() => onAdd(found.request));
  const facts = [t(`models.here.${found.where}`)];
  if (found.bytes !== null) {
    facts.push(bytes(found.bytes));
  }
  if (!found.safe) {
    facts.push(t('models.here.unsafe'));
  }
  return (
    <li class="jp-mistudio-row">
      <div class="jp-mistudio-row-head">
        <span class="jp-mistudio-row-name">{found.name}</span>
        {store.models.get(found.registered) ? (
          <span class="jp-mistudio-hint">{t('models.added')}</span>
        ) : (
          <Button
            busy={add.busy}
            disabled={!found.safe}
            label={t('models.addedNamed', { name: found.name })}
            onClick={() => void add.run()}
          >
            {t('models.addHere')}
          </Button>
        )}
      </div>
      <div class="jp-mistudio-row-meta">{facts.join(' · ')}</div>
      {add.error && <ErrorNote error={add.error} onDismiss={add.clear} />}
    </li>
  );
}
