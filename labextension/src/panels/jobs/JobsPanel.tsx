import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { t } from '../messages';
import { Button } from '../ui/Button';
import { EmptyState } from '../ui/EmptyState';
import { Section } from '../ui/Section';
import { TableState } from '../ui/TableState';
import { JobRow } from './JobRow';

/** How many finished jobs to show before being asked for more. */
const FIRST = 25;

/** The queue and what has ended. */
export function JobsPanel() {
  const { store } = usePanel();
  const [all, setAll] = useState(false);
  const jobs = store.jobs.list.value;
  const active = store.activeJobs.value;
  const queue = [...active].sort(
    (a, b) =>
      Number(b.state === 'running') - Number(a.state === 'running') ||
      a.created_at.localeCompare(b.created_at)
  );
  const finished = jobs.filter(job => !active.includes(job));
  const shown = all ? finished : finished.slice(0, FIRST);
  return (
    <div class="jp-mistudio-panel" data-testid="mistudio-jobs">
      <div class="jp-mistudio-toolbar">
        <h2>{t('jobs.title')}</h2>
      </div>
      <TableState table={store.jobs}>
        {jobs.length === 0 && <EmptyState title={t('jobs.empty')} text={t('jobs.empty.text')} />}
        {queue.length > 0 && (
          <Section title={t('jobs.running')} aside={String(queue.length)}>
            <ul class="jp-mistudio-list">
              {queue.map(job => (
                <JobRow key={job.id} job={job} />
              ))}
            </ul>
          </Section>
        )}
        {finished.length > 0 && (
          <Section title={t('jobs.finished')} aside={String(finished.length)}>
            <ul class="jp-mistudio-list">
              {shown.map(job => (
                <JobRow key={job.id} job={job} />
              ))}
            </ul>
            {shown.length < finished.length && (
              <Button onClick={() => setAll(true)}>{t('action.showAll')}</Button>
            )}
          </Section>
        )}
      </TableState>
    </div>
  );
}
