import { useMemo } from 'preact/hooks';
import { usePanel } from '../context';
import { Tokenizer } from '../models/Tokenizer';
import { Variants } from '../models/Variants';
import { quantity } from '../lib/format';
import { contract, expand } from '../lib/hooks';
import { asChoice } from '../lib/selection';
import { t } from '../messages';
import type { Architecture, Model } from '../types';
import { Button } from '../ui/Button';
import { DetailHead } from '../ui/DetailHead';
import { ErrorNote, WarningNote } from '../ui/ErrorNote';
import { Facts } from '../ui/Facts';
import { Icon } from '../ui/Icon';
import { Disclosure, Section } from '../ui/Section';
import { ConfigTree } from './ConfigTree';
import { architectureFacts, extractable, totals } from './facts';
import { HookChooser } from './HookChooser';
import { HookList } from './HookList';
import { LayerTree } from './LayerTree';

interface Props {
  model: Model;
  onBack?: () => void;
  takesFocus?: boolean;
}

/** One model: its structure in numbers, its hook points, its modules. */
export function ArchitectureView({ model, onBack, takesFocus }: Props) {
  const { store, host } = usePanel();
  // What is chosen here goes along; nothing chosen leaves the form's own choice.
  const chosenHooks = asChoice(host.selection.value);
  const { value, error } = store.architecture(model.id).value;
  return (
    <div class="jp-mistudio-panel" data-testid="mistudio-architecture">
      <DetailHead name={model.name} state={model.state} onBack={onBack} takesFocus={takesFocus}>
        {host.open && (
          <Button onClick={() => host.open?.('extract', { ...chosenHooks, model: model.id })}>
            {t('architecture.useIn')}
          </Button>
        )}
      </DetailHead>
      {error && <ErrorNote error={error} onRetry={() => store.reloadArchitecture(model.id)} />}
      {!value && !error && (
        <div class="jp-mistudio-loading" role="status">
          {t('architecture.loading')}
        </div>
      )}
      {value && <Details model={model} architecture={value} />}
    </div>
  );
}

function Details({ model, architecture }: { model: Model; architecture: Architecture }) {
  const { host } = usePanel();
  const selection = host.selection.value;
  const chosen = useMemo(
    () => expand(asChoice(selection) ?? { layers: [], hooks: [] }, architecture.n_layers),
    [selection, architecture]
  );
  const verified = architecture.hooks.filter(hook => hook.verified).length;
  const total = architecture.hooks.length;
  const statement = extractable(architecture);
  return (
    <>
      {statement && <p>{statement}</p>}
      {architecture.warnings
        ?.filter(warning => warning.code !== 'not_extractable')
        .map((warning, index) => (
          <WarningNote key={index} message={warning.message} />
        ))}
      <Facts facts={totals(architecture)} label={t('architecture.title')} />
      <Section
        title={t('architecture.hooks')}
        aside={chosen.length > 0 ? t('hooks.count', { n: chosen.length }) : undefined}
      >
        {verified > 0 && (
          <p class="jp-mistudio-hint">
            {verified === total
              ? t('architecture.verified', { n: total })
              : t('architecture.partly', { n: verified, total })}
          </p>
        )}
        <HookChooser
          architecture={architecture}
          chosen={chosen}
          onChange={names => host.select({ ...selection, model: model.id, ...contract(names) })}
        />
      </Section>
      <Disclosure title={t('architecture.facts')} open>
        <Facts facts={architectureFacts(architecture)} label={t('architecture.facts')} />
      </Disclosure>
      <Disclosure title={t('points.title')}>
        <HookList architecture={architecture} />
      </Disclosure>
      {architecture.tree && architecture.tree.length > 0 && (
        <Disclosure title={t('architecture.tree')} open>
          <LayerTree nodes={architecture.tree} />
        </Disclosure>
      )}
      {architecture.checks && architecture.checks.length > 0 && (
        <Disclosure
          title={t('architecture.checks')}
          aside={`${architecture.checks.filter(check => check.passed).length}/${architecture.checks.length}`}
          open={architecture.checks.some(check => !check.passed)}
        >
          <ul class="jp-mistudio-checks">
            {architecture.checks.map(check => (
              <li key={check.name}>
                <span class={`jp-mistudio-pill jp-mistudio-mod-${check.passed ? 'good' : 'bad'}`}>
                  <Icon name={check.passed ? 'check' : 'alert'} />
                  {t(check.passed ? 'architecture.check.passed' : 'architecture.check.failed')}
                </span>
                <span>{check.name}</span>
                {check.max_error !== null && (
                  <span class="jp-mistudio-hint">
                    {t('architecture.check.error', { error: quantity(check.max_error) })}
                  </span>
                )}
              </li>
            ))}
          </ul>
        </Disclosure>
      )}
      {architecture.config && (
        <Disclosure
          title={t('architecture.config')}
          aside={String(Object.keys(architecture.config).length)}
        >
          <ConfigTree config={architecture.config} />
        </Disclosure>
      )}
      <Disclosure title={t('tokenizer.title')}>
        <Tokenizer model={model} />
      </Disclosure>
      <Disclosure title={t('variants.title')}>
        <Variants model={model} />
      </Disclosure>
    </>
  );
}
