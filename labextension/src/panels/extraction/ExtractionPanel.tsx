import { useEffect, useRef, useState } from 'preact/hooks';
import { HookChooser } from '../architecture/HookChooser';
import { usePanel } from '../context';
import { contract } from '../lib/hooks';
import { extractCall } from '../lib/python';
import { asChoice, defaultChoice, readForm, toPython, toRequest } from '../lib/selection';
import type { Form } from '../lib/selection';
import { t } from '../messages';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { noticesOf, useAction } from '../ui/hooks';
import { Templates } from '../templates/Templates';
import { Disclosure, Section } from '../ui/Section';
import { TableState } from '../ui/TableState';
import { CopyPython } from './CopyPython';
import { EstimateView, summary } from './EstimateView';
import { DatasetPicker, ModelPicker } from './Pickers';
import { RunCard } from './RunCard';
import { Settings } from './Settings';
import { useEstimate } from './useEstimate';
import { Welcome } from './Welcome';

/** Errors with one of these fields are shown at the control. */
const FIELDS = [
  'dataset',
  'split',
  'model',
  'layers',
  'hooks',
  'layout',
  'positions',
  'dtype',
  'context',
  'max_samples',
  'mode',
  'batch_tokens',
  'device',
  'name'
];

/** Everything that is left to do before an extraction can start. */
function missing(form: Form): string[] {
  const needs: string[] = [];
  if (!form.dataset) {
    needs.push(t('extract.need.dataset'));
  } else if (form.dataset.state !== 'ready') {
    needs.push(t('extract.need.datasetReady'));
  }
  if (!form.model) {
    needs.push(t('extract.need.model'));
  } else if (form.model.state !== 'ready') {
    needs.push(t('extract.need.modelReady'));
  } else if (form.hooks.length === 0) {
    needs.push(t('extract.need.hooks'));
  }
  return needs;
}

function onlyReady(records: readonly { id: string; state: string }[]): string | undefined {
  const usable = records.filter(record => record.state !== 'failed');
  return usable.length === 1 && usable[0]?.state === 'ready' ? usable[0].id : undefined;
}

/** From a dataset and a model to a running extraction. */
export function ExtractionPanel() {
  const { store, host } = usePanel();
  const [latest, setLatest] = useState<string | null>(null);
  const [toOpen, setToOpen] = useState<string | null>(null);
  const [existed, setExisted] = useState(false);
  const [notices, setNotices] = useState('');
  const [guided, setGuided] = useState<'offer' | 'working' | 'off'>('offer');
  const datasets = store.datasets.list.value;
  const models = store.models.list.value;
  const selection = host.selection.value;
  const form = readForm(selection, datasets, models);
  const patch = (values: Record<string, unknown>): void =>
    host.select({ ...host.selection.peek(), ...values });

  const ready = form.model?.state === 'ready' ? form.model : null;
  const architecture = ready ? store.architecture(ready.id).value : null;
  useEffect(() => {
    // Python sees the same first choice as the person.
    if (ready?.n_layers && !asChoice(host.selection.peek())) {
      patch({ ...defaultChoice(ready.n_layers) });
    }
  }, [ready?.id]);

  const only = {
    dataset: selection['dataset'] === undefined ? onlyReady(datasets) : undefined,
    model: selection['model'] === undefined ? onlyReady(models) : undefined
  };
  useEffect(() => {
    // Where there is nothing to choose between, the choice is made.
    for (const [key, id] of Object.entries(only)) {
      if (id) {
        patch({ [key]: id });
      }
    }
  }, [only.dataset, only.model]);

  const request = toRequest(form);
  const known = architecture?.value ?? null;
  const estimate = useEstimate(
    request,
    known && { hooks: known.hooks, nLayers: known.n_layers, dModel: known.d_model }
  );
  const start = useAction(async (opens: boolean) => {
    if (!request) {
      return;
    }
    const extraction = await store.extract(request);
    setExisted(extraction.state === 'done');
    setNotices(noticesOf(extraction));
    setLatest(extraction.id);
    setToOpen(opens ? extraction.id : null);
    setGuided('off');
  });
  // What was wrong with another request says nothing about this one.
  useEffect(start.clear, [JSON.stringify(request)]);

  const errors = [start.error, estimate.error].filter(error => error !== null);
  const errorAt = (...fields: string[]): string | null => {
    const error = errors.find(each => each.field && fields.includes(each.field));
    return error ? [error.message, error.hint].filter(Boolean).join(' ') : null;
  };
  const atNoField = errors.find(each => !each.field || !FIELDS.includes(each.field));
  const panel = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // The field may be far from the button that was pressed.
    if (start.error?.field) {
      panel.current?.querySelector<HTMLElement>('[aria-invalid]')?.focus();
    }
  }, [start.error]);
  const needs = missing(form);
  const empty =
    store.datasets.loaded.value &&
    store.models.loaded.value &&
    datasets.length === 0 &&
    models.length === 0;
  if (guided === 'working' || (guided === 'offer' && empty)) {
    return (
      <div class="jp-mistudio-panel" data-testid="mistudio-extract">
        <Welcome onStart={() => setGuided('working')} onClose={() => setGuided('off')} />
      </div>
    );
  }
  const runs = store.extractions.list.value.filter(
    each =>
      store.started.value.includes(each.id) || each.state === 'running' || each.state === 'queued'
  );

  return (
    <div class="jp-mistudio-panel" data-testid="mistudio-extract" ref={panel}>
      {/* Behind a tab of the same name a heading would say nothing new. */}
      <h2 class={host.open ? 'jp-mistudio-hidden' : undefined}>{t('extract.title')}</h2>
      <TableState table={store.datasets}>
        <div class="jp-mistudio-pickers">
          <DatasetPicker
            value={form.dataset}
            onChange={dataset => patch({ dataset, split: null })}
            error={errorAt('dataset')}
            split={form.split}
            onSplit={split => patch({ split })}
            splitError={errorAt('split')}
          />
          <ModelPicker
            value={form.model}
            onChange={model => patch({ model })}
            error={errorAt('model')}
          />
        </div>
        <Disclosure title={t('templates.title')}>
          <Templates
            value={{
              ...contract(form.hooks),
              layout: form.layout,
              positions: form.positions,
              dtype: form.dtype,
              mode: form.mode,
              context: form.context,
              max_samples: form.maxSamples,
              batch_tokens: form.batchTokens
            }}
            model={form.model}
            onApply={({ n_layers: _, ...spec }) =>
              patch({
                ...spec,
                context: spec.context ?? null,
                max_samples: spec.max_samples ?? null,
                batch_tokens: spec.batch_tokens ?? null
              })
            }
          />
        </Disclosure>
        <Section
          title={t('extract.what')}
          aside={form.hooks.length > 0 ? t('hooks.count', { n: form.hooks.length }) : undefined}
        >
          {architecture?.value ? (
            <HookChooser
              architecture={architecture.value}
              chosen={form.hooks}
              onChange={names => patch({ ...contract(names) })}
              error={errorAt('layers', 'hooks')}
            />
          ) : architecture?.error && ready ? (
            <ErrorNote
              error={architecture.error}
              onRetry={() => store.reloadArchitecture(ready.id)}
            />
          ) : (
            <p class="jp-mistudio-hint">
              {t(architecture ? 'architecture.loading' : 'hooks.needModel')}
            </p>
          )}
        </Section>
        <Section title={t('extract.how')}>
          <Settings
            form={form}
            patch={patch}
            errorAt={errorAt}
            notices={estimate.value?.warnings ?? []}
          />
        </Section>
        {(estimate.value || estimate.stale) && (
          <Section title={t('estimate.title')}>
            <EstimateView estimate={estimate.value} stale={estimate.stale} />
          </Section>
        )}
        {runs.length > 0 && (
          <Section title={t('extract.runs')}>
            {(existed || notices) && (
              <p class="jp-mistudio-hint" role="status">
                {notices || t('extract.exists')}
              </p>
            )}
            {runs.map(each => (
              <RunCard
                key={each.id}
                extraction={each}
                shown={each.id === latest}
                opens={each.id === toOpen}
                onOpened={() => setToOpen(null)}
              />
            ))}
          </Section>
        )}
        <div class="jp-mistudio-start">
          {atNoField && <ErrorNote error={atNoField} />}
          <div class="jp-mistudio-summary" role="status">
            {needs.length > 0
              ? needs.join(' ')
              : (errors.find(each => each !== atNoField)?.message ?? summary(estimate.value))}
          </div>
          <div class="jp-mistudio-actions">
            <Button
              kind="primary"
              busy={start.busy}
              disabled={!request}
              onClick={() => void start.run(false)}
            >
              {t('extract.start')}
            </Button>
            <Button
              icon="kernel"
              busy={start.busy}
              disabled={!request}
              onClick={() => void start.run(true)}
            >
              {t('extract.startAndOpen')}
            </Button>
            <CopyPython
              code={request ? extractCall(toPython(form, request, datasets, models)) : null}
            />
          </div>
        </div>
      </TableState>
    </div>
  );
}
