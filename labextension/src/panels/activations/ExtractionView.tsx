import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { JobControls } from '../jobs/JobControls';
import { JobProblem } from '../jobs/JobProblem';
import { problemOf, stateOf } from '../jobs/problem';
import { JobProgress } from '../jobs/JobProgress';
import { bytes, compact, duration, integer, shape, when } from '../lib/format';
import { contract } from '../lib/hooks';
import { formatLayers } from '../lib/layers';
import { quote } from '../lib/python';
import { t, tData } from '../messages';
import type { ArrayFile, Extraction, Manifest } from '../types';
import { Button } from '../ui/Button';
import { Confirm } from '../ui/Confirm';
import { DetailHead } from '../ui/DetailHead';
import { ErrorNote, WarningNote } from '../ui/ErrorNote';
import { Facts } from '../ui/Facts';
import type { Fact } from '../ui/Facts';
import { useAction, useFetch } from '../ui/hooks';
import { Progress } from '../ui/Progress';
import { Section } from '../ui/Section';
import { LookInside } from './LookInside';
import { SendToKernel } from './SendToKernel';
import { Statistics, statisticsRows } from './Statistics';

interface Props {
  extraction: Extraction;
  onBack?: () => void;
  takesFocus?: boolean;
}

/** One extraction: settings, arrays, statistics, and the way into a notebook. */
export function ExtractionView({ extraction, onBack, takesFocus }: Props) {
  const { store, host } = usePanel();
  const [asking, setAsking] = useState(false);
  const job = store.jobs.get(extraction.job_id);
  const state = stateOf(extraction, job);
  const active = state === 'queued' || state === 'running';
  // The state is part of the key: shapes and statistics are written when it changes.
  const manifest = useFetch(`${extraction.id}/${extraction.state}`, signal =>
    store.api.manifest(extraction.id, signal)
  );
  const arrays = Object.entries(manifest.value?.files ?? {});
  const rows = statisticsRows(arrays.map(([, file]) => file));
  const remove = useAction(async () => {
    await store.remove('extractions', extraction.id);
    onBack?.();
  });
  const error = problemOf(extraction, job);
  const chooseHook = (hook: string): void => host.select({ ...host.selection.peek(), hook });
  return (
    <div class="jp-mistudio-panel" data-testid="mistudio-extraction">
      <DetailHead name={extraction.name} state={state} onBack={onBack} takesFocus={takesFocus}>
        <Button
          kind="quiet"
          icon="trash"
          label={t('action.deleteNamed', { name: extraction.name })}
          onClick={() => setAsking(true)}
        />
      </DetailHead>
      {asking && (
        <Confirm
          question={t('activations.delete', { name: extraction.name })}
          action={t('action.delete')}
          busy={remove.busy}
          onConfirm={() => void remove.run()}
          onCancel={() => setAsking(false)}
        />
      )}
      {remove.error && <ErrorNote error={remove.error} onDismiss={remove.clear} />}
      <JobProblem problem={error} job={job} />
      {extraction.warnings?.map((warning, index) => (
        <WarningNote key={index} message={warning.message} />
      ))}
      {active &&
        (job ? (
          <JobProgress job={job} label={extraction.name} />
        ) : (
          <Progress
            label={extraction.name}
            done={extraction.ready}
            total={extraction.total}
            unit={extraction.unit}
          />
        ))}
      <div class="jp-mistudio-actions">
        <SendToKernel extraction={extraction} primary />
        <JobControls job={job} />
      </div>
      <pre class="jp-mistudio-code" tabIndex={0} aria-label={t('activations.python')}>
        {`acts = ms.open(${quote(extraction.name)})`}
      </pre>
      {extraction.ready ? (
        <LookInside extraction={extraction} />
      ) : (
        active && <p class="jp-mistudio-hint">{t('look.waiting')}</p>
      )}
      {manifest.error && <ErrorNote error={manifest.error} onRetry={manifest.reload} />}
      {rows.length > 0 && (
        <Section title={t('activations.statistics')}>
          <Statistics rows={rows} onHook={chooseHook} />
        </Section>
      )}
      <Section title={t('activations.spec')}>
        <Facts facts={specFacts(extraction, manifest.value)} />
      </Section>
      {arrays.length > 0 && (
        <Section title={t('activations.files')} aside={String(arrays.length)}>
          <Files files={arrays} />
        </Section>
      )}
    </div>
  );
}

function specFacts(extraction: Extraction, manifest: Manifest | null): Fact[] {
  const spec = extraction.spec ?? {};
  const timings = manifest?.timings;
  const choice = contract(spec.hooks ?? []);
  const word = (key: 'layout' | 'positions'): string | null =>
    spec[key] ? tData(`extract.${key}`, String(spec[key])) : null;
  const facts: [string, string | null | undefined][] = [
    [t('extract.model'), extraction.model],
    [t('extract.dataset'), [extraction.dataset, extraction.split].filter(Boolean).join(', ')],
    [t('hooks.layers'), choice.layers ? formatLayers(choice.layers) : null],
    [
      t('architecture.hooks'),
      choice.layers ? choice.hooks.join(', ') : integer(choice.hooks.length)
    ],
    [t('estimate.samples'), extraction.n_samples === null ? null : integer(extraction.n_samples)],
    [t('estimate.tokens'), extraction.n_tokens === null ? null : integer(extraction.n_tokens)],
    [t('estimate.bytes'), extraction.bytes === null ? null : bytes(extraction.bytes)],
    [t('extract.layout'), word('layout')],
    [t('extract.positions'), word('positions')],
    [t('extract.dtype'), spec.dtype],
    [t('extract.context'), spec.context ? integer(spec.context) : null],
    [t('activations.created'), when(extraction.created_at)],
    [t('activations.took'), timings?.total_s ? duration(timings.total_s) : null],
    [
      t('estimate.speed'),
      timings?.tokens_per_s ? t('estimate.speed.value', { n: compact(timings.tokens_per_s) }) : null
    ]
  ];
  const shown = facts
    .filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([label, value]): Fact => [label, value]);
  return extraction.path
    ? [...shown, [t('activations.path'), <code>{extraction.path}</code>, true]]
    : shown;
}

function Files({ files }: { files: [string, ArrayFile][] }) {
  return (
    <div class="jp-mistudio-scroll" tabIndex={0} role="group" aria-label={t('activations.files')}>
      <table class="jp-mistudio-table jp-mistudio-mod-numbers">
        <thead>
          <tr>
            <th scope="col">{t('activations.file')}</th>
            <th scope="col">{t('activations.shape')}</th>
            <th scope="col">{t('activations.dtype')}</th>
            <th scope="col">{t('activations.bytes')}</th>
          </tr>
        </thead>
        <tbody>
          {files.map(([name, file]) => (
            <tr key={name}>
              <th scope="row">
                <code>{name}</code>
              </th>
              <td>{shape(file.shape)}</td>
              <td>{file.dtype}</td>
              <td>{bytes(file.bytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
