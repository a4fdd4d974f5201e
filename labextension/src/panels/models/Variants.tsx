import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { JobControls } from '../jobs/JobControls';
import { JobProblem } from '../jobs/JobProblem';
import { problemOf, stateOf } from '../jobs/problem';
import { JobProgress } from '../jobs/JobProgress';
import { bytes, compact, percent } from '../lib/format';
import { t } from '../messages';
import type { Model } from '../types';
import { Button } from '../ui/Button';
import { CheckField } from '../ui/CheckField';
import { ErrorNote, WarningNote } from '../ui/ErrorNote';
import { useAction, useFetch } from '../ui/hooks';
import { Pill } from '../ui/Pill';
import { ErrorPlot } from './ErrorPlot';
import { FORMATS } from './formats';
import { ComputesIn } from './FormatsTable';
import type { FormatEstimate } from './hub';

/** A model's formats: what each takes and how far it is off; those that are missing can be made. */
export function Variants({ model }: { model: Model }) {
  const { store, host } = usePanel();
  const [fallback, setFallback] = useState(false);
  // Asked again when a model comes or goes; each one's own state comes with the events.
  const known = store.models.list.value.length;
  const found = useFetch(`${model.id} ${known}`, signal => store.api.variants(model.id, signal));
  // Only reasons and dtypes come from here: a format that cannot be is refused when it is asked for.
  const takes = useFetch(`${model.id} ${model.fingerprint ?? ''}`, signal =>
    store.api.request<{ formats: FormatEstimate[] }>(
      'GET',
      `models/${encodeURIComponent(model.id)}/estimate`,
      { signal }
    )
  );
  if (found.error) {
    return <ErrorNote error={found.error} onRetry={found.reload} />;
  }
  if (!found.value) {
    // Without the answer every format would look as if it were not made.
    return (
      <div class="jp-mistudio-loading" role="status">
        {t('variants.loading')}
      </div>
    );
  }
  const family = found.value.map(each => store.models.get(each.id) ?? each);
  const made = (format: string): Model | undefined =>
    family.find(each => (each.requested_format ?? each.format) === format);
  // What its publisher quantised has a format of its own, and no other.
  const published = family.find(each => !FORMATS.some(({ value }) => value === each.format));
  const formats = published ? family.map(each => each.format) : FORMATS.map(({ value }) => value);
  const notes = family.map(fallbackNote).filter(note => note !== null);
  return (
    <>
      <p class="jp-mistudio-hint">{t('variants.hint')}</p>
      <div class="jp-mistudio-scroll">
        <table class="jp-mistudio-table jp-mistudio-variants" aria-label={t('variants.title')}>
          <thead>
            <tr>
              <th scope="col">{t('card.format')}</th>
              <th scope="col" title={t('variants.error.long')}>
                {t('variants.error')}
              </th>
              <th scope="col">{t('variants.disk')}</th>
              <th scope="col">{t('variants.memory')}</th>
              <th scope="col">{t('variants.speed')}</th>
            </tr>
          </thead>
          <tbody>
            {formats.map(format => {
              const variant = made(format);
              const row = takes.value?.formats.find(each => each.format === format);
              return variant ? (
                <MadeRow
                  key={format}
                  format={format}
                  variant={variant}
                  row={row}
                  current={variant.id === model.id}
                  onOpen={() => host.select({ ...host.selection.peek(), model: variant.id })}
                />
              ) : (
                <MissingRow
                  key={format}
                  format={format}
                  model={model}
                  reason={row?.unavailable}
                  fallback={fallback}
                />
              );
            })}
          </tbody>
        </table>
      </div>
      {notes.map(note => (
        <WarningNote key={note} message={note} />
      ))}
      {published ? (
        <p class="jp-mistudio-hint">{t('format.published.only', { how: published.format })}</p>
      ) : (
        <CheckField label={t('variants.fallback')} checked={fallback} onChange={setFallback} />
      )}
    </>
  );
}

/** What to know where another format was made than the one asked for. */
export function fallbackNote(model: Model): string | null {
  const wanted = model.requested_format;
  if (!wanted || wanted === model.format) {
    return null;
  }
  const reason = model.fallback_reason ?? t('variants.fellBack.memory');
  return t('variants.fellBack', { wanted, format: model.format, reason });
}

interface MadeProps {
  format: string;
  variant: Model;
  row: FormatEstimate | undefined;
  current: boolean;
  onOpen: () => void;
}

function MadeRow({ format, variant, row, current, onOpen }: MadeProps) {
  const { store } = usePanel();
  const job = store.jobs.get(variant.job_id);
  const problem = problemOf(variant, job);
  const measured = variant.measured;
  const byLayer = measured?.relative_error_by_layer ?? [];
  const gpu = measured?.device
    ? !measured.device.startsWith('cpu')
    : store.system.value?.capabilities?.gpu;
  const kind = gpu ? 'gpu' : 'cpu';
  if (variant.state !== 'ready') {
    return (
      <tr>
        <th scope="row">{format}</th>
        <td colSpan={4}>
          <Pill state={stateOf(variant, job)} />
          {job && <JobProgress job={job} label={variant.name} />}
          <JobProblem problem={problem} job={job} name={variant.name} />
          <JobControls job={job} name={variant.name} />
        </td>
      </tr>
    );
  }
  return (
    <>
      <tr
        class={current ? 'jp-mistudio-mod-chosen' : undefined}
        aria-current={current || undefined}
      >
        <th scope="row">
          {current ? (
            <>
              <strong>{format}</strong> <span class="jp-mistudio-hidden">{t('variants.this')}</span>
            </>
          ) : (
            <button
              type="button"
              class="jp-mistudio-row-name"
              aria-label={t('action.openNamed', { name: variant.name })}
              onClick={onOpen}
            >
              {format}
            </button>
          )}
          <ComputesIn row={row} kind={kind} />
        </th>
        <td>
          {measured?.relative_error === 0
            ? t('variants.reference')
            : percent(measured?.relative_error)}
        </td>
        <td>{bytes(measured?.size_bytes ?? variant.size_bytes)}</td>
        <td>{bytes(measured?.memory_bytes)}</td>
        <td>{compact(measured?.tokens_per_second)}</td>
      </tr>
      {byLayer.some(value => value > 0) && (
        <tr class="jp-mistudio-mod-plot">
          <td colSpan={5}>
            <ErrorPlot values={byLayer} />
          </td>
        </tr>
      )}
    </>
  );
}

interface MissingProps {
  format: string;
  model: Model;
  /** Why the model or the machine cannot have it. */
  reason: string | null | undefined;
  fallback: boolean;
}

function MissingRow({ format, model, reason, fallback }: MissingProps) {
  const { store } = usePanel();
  const make = useAction(() => store.makeVariant(model.id, format, fallback));
  return (
    <tr>
      <th scope="row">{format}</th>
      <td colSpan={4}>
        {reason ? (
          <span class="jp-mistudio-reason">{t('format.unavailable', { reason })}</span>
        ) : (
          <Button
            busy={make.busy}
            label={t('variants.makeNamed', { format })}
            onClick={() => void make.run()}
          >
            {t('variants.make')}
          </Button>
        )}
        {make.error && <ErrorNote error={make.error} onDismiss={make.clear} />}
      </td>
    </tr>
  );
}
