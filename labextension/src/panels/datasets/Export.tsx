import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { JobProgress } from '../jobs/JobProgress';
import { t, tData } from '../messages';
import { ErrorNote } from '../ui/ErrorNote';
import { SelectField } from '../ui/Field';
import { FormEnd, useSubmit } from '../ui/useSubmit';
import { exportTokenization } from './rest';

const PADDINGS = ['max_length', 'none'] as const;

interface Props {
  dataset: string;
  id: string;
  /** Of the tokenization. */
  name: string;
  onClose: () => void;
}

/** Writes a tokenization for programs that read what `datasets` saves. */
export function Export({ dataset, id, name, onClose }: Props) {
  const { store } = usePanel();
  const [padding, setPadding] = useState<(typeof PADDINGS)[number]>('max_length');
  const [made, setMade] = useState<{ job: string; path: string } | null>(null);
  const form = useSubmit(async () => {
    const jobs = store.jobs.now;
    const { job, path } = await exportTokenization(store.api, dataset, id, padding);
    store.jobs.absorb(job, jobs);
    setMade({ job: job.id, path });
  }, ['padding']);
  const job = store.jobs.get(made?.job ?? null);
  const active = job?.state === 'queued' || job?.state === 'running';
  return (
    <div
      class="jp-mistudio-form jp-mistudio-card"
      role="group"
      aria-label={t('export.title', { name })}
    >
      <SelectField
        label={t('export.padding')}
        hint={t('export.hint')}
        value={padding}
        options={PADDINGS.map(value => ({ value, label: tData('export.padding', value) }))}
        onChange={value => setPadding(value as (typeof PADDINGS)[number])}
        error={form.errorAt('padding')}
      />
      {job && active && <JobProgress job={job} label={t('export.title', { name })} />}
      {job?.error && <ErrorNote error={job.error} />}
      {made && job?.state === 'done' && (
        <p role="status">
          {t('export.done')} <code>{made.path}</code>
        </p>
      )}
      <FormEnd form={form} action={t('export.start')} disabled={active} onClose={onClose} />
    </div>
  );
}
