import { useEffect, useRef } from 'preact/hooks';
import { SendToKernel } from '../activations/SendToKernel';
import { usePanel } from '../context';
import { JobControls } from '../jobs/JobControls';
import { JobProblem } from '../jobs/JobProblem';
import { problemOf, stateOf } from '../jobs/problem';
import { JobProgress } from '../jobs/JobProgress';
import { bytes, integer } from '../lib/format';
import { count, t } from '../messages';
import type { Extraction } from '../types';
import { WarningNote } from '../ui/ErrorNote';
import { Pill } from '../ui/Pill';

interface Props {
  extraction: Extraction;
  /** Just started: bring it into view. */
  shown: boolean;
  /** Give it to the notebook's kernel at once. */
  opens: boolean;
  onOpened: () => void;
}

/** An extraction that runs or has just run, with what one wants to do next. */
export function RunCard({ extraction, shown, opens, onOpened }: Props) {
  const { store, host } = usePanel();
  const job = store.jobs.get(extraction.job_id);
  const state = stateOf(extraction, job);
  const active = state === 'queued' || state === 'running';
  const card = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (shown) {
      card.current?.scrollIntoView({ block: 'nearest' });
    }
  }, [shown, state]);
  const error = problemOf(extraction, job);
  const size = [
    extraction.n_tokens ? count(extraction.n_tokens, 'token', integer(extraction.n_tokens)) : '',
    extraction.bytes ? bytes(extraction.bytes) : ''
  ].filter(Boolean);
  return (
    <div
      ref={card}
      class="jp-mistudio-card"
      role="group"
      aria-label={extraction.name}
      data-testid={`mistudio-run-${extraction.id}`}
      data-extraction={extraction.id}
      data-state={state}
    >
      <div class="jp-mistudio-row-head">
        {host.open ? (
          <button
            type="button"
            class="jp-mistudio-row-name"
            aria-label={t('action.openNamed', { name: extraction.name })}
            onClick={() => host.open?.('activations', { extraction: extraction.id })}
          >
            {extraction.name}
          </button>
        ) : (
          <span class="jp-mistudio-row-name">{extraction.name}</span>
        )}
        <span role="status">
          <Pill state={state} />
        </span>
      </div>
      {job && active ? (
        <JobProgress job={job} label={extraction.name} />
      ) : (
        <div key="meta" class="jp-mistudio-row-meta">
          {size.join(' · ')}
        </div>
      )}
      {extraction.warnings?.map((warning, index) => (
        <WarningNote key={index} message={warning.message} />
      ))}
      <JobProblem problem={error} job={job} name={extraction.name} />
      {/* The key: without it Preact may take these for the line above, and forget what was sent. */}
      <div key="actions" class="jp-mistudio-actions">
        {extraction.state !== 'failed' && extraction.state !== 'cancelled' && (
          <SendToKernel extraction={extraction} primary atOnce={opens} onSent={onOpened} />
        )}
        <JobControls job={job} />
      </div>
    </div>
  );
}
