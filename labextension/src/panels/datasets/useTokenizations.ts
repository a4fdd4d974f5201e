import { usePanel } from '../context';
import { useFetch } from '../ui/hooks';
import { tokenizations } from './rest';
import type { Tokenization } from './types';

interface Found {
  list: readonly Tokenization[];
  /** Whether the list has been read. */
  known: boolean;
  reload: () => void;
}

/** The tokenizations of a dataset; read again whenever a job that makes one changes its state. */
export function useTokenizations(dataset: string): Found {
  const { store } = usePanel();
  const jobs = store.jobs.list.value
    .filter(job => job.kind === 'tokenize')
    .map(job => `${job.id} ${job.state}`)
    .join();
  const found = useFetch(`${dataset} ${jobs}`, signal => tokenizations(store.api, dataset, signal));
  return { list: found.value ?? [], known: found.value !== null, reload: found.reload };
}
