import { useState } from 'preact/hooks';
import { SendToKernel } from '../activations/SendToKernel';
import { usePanel } from '../context';
import { problemOf, stateOf } from '../jobs/problem';
import { JobProgress } from '../jobs/JobProgress';
import { t } from '../messages';
import type { MessageKey } from '../messages';
import type { ExtractionRequest, Problem } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { useAction } from '../ui/hooks';
import { Icon } from '../ui/Icon';

/**
 * The whole demo in one request: the server registers sample dataset and model, tokenises and
 * extracts, each step after the one that it needs. The sample model has six layers.
 */
const DEMO: ExtractionRequest = {
  model: 'sample-model',
  dataset: 'sample-stories',
  split: 'train',
  layers: [2],
  hooks: ['resid_post'],
  max_samples: 500
};

type StepState = 'todo' | 'working' | 'done';

interface Props {
  onStart: () => void;
  onClose: () => void;
}

/** The first run: one button that does everything, and says what each step is. */
export function Welcome({ onStart, onClose }: Props) {
  const { store, host } = usePanel();
  const [id, setId] = useState<string | null>(null);
  const go = useAction(async () => {
    onStart();
    setId((await store.extract(DEMO)).id);
  });
  const dataset = store.datasets.list.value.find(record => record.source === 'sample');
  const model = store.models.list.value.find(record => record.source === 'sample');
  const extraction = store.extractions.get(id);
  const started = go.busy || id !== null;
  const done = extraction?.state === 'done';
  const over = extraction !== undefined && problemOf(extraction) !== null;
  return (
    <div class="jp-mistudio-welcome jp-mistudio-card">
      <h2>{t('welcome.title')}</h2>
      <p>{t('welcome.text')}</p>
      <ol>
        <Step name="dataset" started={started} record={dataset} />
        <Step name="model" started={started} record={model} />
        <Step
          name="extract"
          started={started && dataset?.state === 'ready' && model?.state === 'ready'}
          record={extraction}
        />
        <Step name="look" started={false} />
      </ol>
      {go.error && <ErrorNote error={go.error} onRetry={() => void go.run()} />}
      <div class="jp-mistudio-actions">
        {extraction && done && (
          <>
            {host.open && (
              <Button
                kind="primary"
                onClick={() => {
                  onClose();
                  host.open?.('activations', { extraction: extraction.id });
                }}
              >
                {t('look.title')}
              </Button>
            )}
            <SendToKernel extraction={extraction} primary={!host.open} />
          </>
        )}
        {!done && (
          <Button kind="primary" busy={started && !over} onClick={() => void go.run()}>
            {t('welcome.button')}
          </Button>
        )}
        <Button kind="quiet" onClick={onClose}>
          {t(done ? 'welcome.continue' : 'welcome.own')}
        </Button>
      </div>
    </div>
  );
}

/** A dataset, a model or an extraction, as far as a step shows it. */
interface StepRecord {
  state: string;
  error: Problem | null;
  job_id: string | null;
}

interface StepProps {
  name: 'dataset' | 'model' | 'extract' | 'look';
  started: boolean;
  record?: StepRecord;
}

function Step({ name, started, record }: StepProps) {
  const { store } = usePanel();
  const job = store.jobs.get(record?.job_id);
  const error = record ? problemOf(record, job) : null;
  const state = stepState(started, record && stateOf(record, job));
  const key: MessageKey = `welcome.step.${name}`;
  return (
    <li class={`jp-mistudio-step jp-mistudio-mod-${state}`}>
      <div class="jp-mistudio-step-title">
        {t(key)}
        {state === 'working' && <Icon name="spinner" />}
        {state === 'done' && <Icon name="check" />}
        {state !== 'todo' && (
          <span class="jp-mistudio-hidden">
            {t(state === 'done' ? 'welcome.done' : 'welcome.working')}
          </span>
        )}
      </div>
      <div class="jp-mistudio-hint">{t(`${key}.text`)}</div>
      {job && state === 'working' && <JobProgress job={job} label={t(key)} />}
      {error && <ErrorNote error={error} />}
    </li>
  );
}

function stepState(started: boolean, state: string | undefined): StepState {
  if (state === 'ready' || state === 'done') {
    return 'done';
  }
  return started && state !== 'failed' ? 'working' : 'todo';
}
