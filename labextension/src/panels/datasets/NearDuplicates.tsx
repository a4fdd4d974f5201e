import { usePanel } from '../context';
import { JobControls } from '../jobs/JobControls';
import { JobProgress } from '../jobs/JobProgress';
import { integer, percent } from '../lib/format';
import { t } from '../messages';
import type { Job } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { useAction, useFetch } from '../ui/hooks';
import { Subtitle } from '../ui/Section';
import { nearDuplicates, seekNearDuplicates } from './rest';

interface Props {
  dataset: string;
  split: string;
  /** Goes to a row. */
  onRow: (row: number) => void;
}

/** Groups that are shown with links to their rows. */
const SHOWN = 5;

/** Texts that are nearly the same: looked for on demand, since it reads the whole dataset. */
export function NearDuplicates({ dataset, split, onRow }: Props) {
  const { store } = usePanel();
  const jobs = store.jobs.list.value.filter(
    job => job.kind === 'near-duplicates' && job.target?.id === dataset
  );
  const state = jobs.map(job => `${job.id} ${job.state}`).join();
  const found = useFetch(`${dataset} ${state}`, signal =>
    nearDuplicates(store.api, dataset, signal)
  );
  const seek = useAction(async () => {
    const asked = store.jobs.now;
    const { job } = await seekNearDuplicates(store.api, dataset);
    store.jobs.absorb(job, asked);
    found.reload();
  });
  const value = found.value;
  const job: Job | undefined = store.jobs.get(value?.job?.id ?? null) ?? value?.job ?? undefined;
  const of = value?.splits?.find(each => each.name === split);
  const running = job?.state === 'running' || job?.state === 'queued';
  return (
    <div>
      <Subtitle>{t('near.title')}</Subtitle>
      {found.error && <ErrorNote error={found.error} onRetry={found.reload} />}
      {value?.state === 'ready' && of && (
        <>
          <p>
            {t('near.found', {
              n: integer(of.duplicates),
              share: percent(of.share),
              groups: integer(of.groups)
            })}
          </p>
          <ul class="jp-mistudio-neargroups">
            {of.examples.slice(0, SHOWN).map(group => (
              <li key={group.join()}>
                {group.map(row => (
                  <Button key={row} kind="quiet" onClick={() => onRow(row)}>
                    {t('near.row', { row: integer(row) })}
                  </Button>
                ))}
              </li>
            ))}
          </ul>
        </>
      )}
      {running && job && (
        <>
          <JobProgress job={job} label={t('near.title')} />
          <div class="jp-mistudio-actions">
            <JobControls job={job} />
          </div>
        </>
      )}
      {value && value.state !== 'ready' && !running && (
        <div class="jp-mistudio-actions">
          <Button busy={seek.busy} onClick={() => void seek.run()}>
            {t('near.seek')}
          </Button>
          {value.state === 'failed' && job?.error && <ErrorNote error={job.error} />}
        </div>
      )}
      {seek.error && <ErrorNote error={seek.error} onDismiss={seek.clear} />}
    </div>
  );
}
