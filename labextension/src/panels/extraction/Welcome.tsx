import { usePanel } from '../context';
import { addSampleDataset } from '../datasets/SampleButton';
import { JobProgress } from '../jobs/JobProgress';
import { t } from '../messages';
import type { MessageKey } from '../messages';
import { addSampleModel } from '../models/SampleButton';
import type { Dataset, Model } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { useAction } from '../ui/hooks';
import { Icon } from '../ui/Icon';

type StepState = 'todo' | 'working' | 'done';

interface Props {
  working: boolean;
  onStart: () => void;
  onAdded: (dataset: string, model: string) => void;
  onClose: () => void;
}

/** The first run: one button that does the first steps, and says what each of them is. */
export function Welcome({ working, onStart, onAdded, onClose }: Props) {
  const { store } = usePanel();
  const go = useAction(async () => {
    onStart();
    const [dataset, model] = await Promise.all([addSampleDataset(store), addSampleModel(store)]);
    onAdded(dataset.id, model.id);
  });
  const dataset = store.datasets.list.value.find(record => record.source === 'sample');
  const model = store.models.list.value.find(record => record.source === 'sample');
  const both = dataset?.state === 'ready' && model?.state === 'ready';
  return (
    <div class="jp-mistudio-welcome jp-mistudio-card">
      <h2>{t('welcome.title')}</h2>
      <p>{t('welcome.text')}</p>
      <ol>
        <Step name="dataset" state={stateOf(dataset, working)} record={dataset} />
        <Step name="model" state={stateOf(model, working)} record={model} />
        <Step name="form" state={both ? 'done' : 'todo'} />
        <Step name="extract" state="todo" />
      </ol>
      {go.error && <ErrorNote error={go.error} onRetry={() => void go.run()} />}
      <div class="jp-mistudio-actions">
        {!both && (
          <Button kind="primary" busy={go.busy || working} onClick={() => void go.run()}>
            {t('welcome.button')}
          </Button>
        )}
        {!both && (
          <Button kind="quiet" onClick={onClose}>
            {t('welcome.own')}
          </Button>
        )}
        {both && (
          <Button kind="primary" onClick={onClose}>
            {t('welcome.continue')}
          </Button>
        )}
      </div>
    </div>
  );
}

function stateOf(record: Dataset | Model | undefined, working: boolean): StepState {
  if (record?.state === 'ready') {
    return 'done';
  }
  return working && record?.state !== 'failed' ? 'working' : 'todo';
}

interface StepProps {
  name: 'dataset' | 'model' | 'form' | 'extract';
  state: StepState;
  record?: Dataset | Model;
}

function Step({ name, state, record }: StepProps) {
  const { store } = usePanel();
  const job = store.jobs.get(record?.job_id);
  const error = record?.state === 'failed' ? (record.error ?? job?.error ?? null) : null;
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
