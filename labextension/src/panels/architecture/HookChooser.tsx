import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { axesOf, offerOf, setLayers, toggleLayer, toggleName, togglePoint } from '../lib/grid';
import type { Axes } from '../lib/grid';
import { formatLayers, parseLayers, range, stepOf } from '../lib/layers';
import { t } from '../messages';
import type { Architecture } from '../types';
import { Button } from '../ui/Button';
import { SelectField, TextField } from '../ui/Field';
import { layersByKind } from './block';
import { BlockDiagram } from './BlockDiagram';
import { HookGrid } from './HookGrid';

interface Props {
  architecture: Architecture;
  /** Full names. */
  chosen: readonly string[];
  onChange: (names: string[]) => void;
  /** What the server says about the layers or the hook points. */
  error?: string | null;
}

/** Hook points by picture, by layer, one by one, or by typing: always the same choice. */
export function HookChooser({ architecture, chosen, onChange, error }: Props) {
  const offer = useMemo(() => offerOf(architecture), [architecture]);
  const set = useMemo(() => new Set(chosen), [chosen]);
  const axes = axesOf(set);
  // Taking the last point away must not lose the layers, nor the other way round.
  const memory = useRef<Axes>({ layers: [], points: [] });
  if (axes.layers.length > 0) {
    memory.current = axes;
  }
  const apply = (layers: number[]): void => onChange(setLayers(set, layers, offer, memory.current));
  const n = offer.nLayers;
  const kinds = useMemo(() => layersByKind(architecture.layer_kinds), [architecture]);
  const [picked, setKind] = useState('');
  const kind = kinds.has(picked) ? picked : ([...kinds.keys()][0] ?? null);

  return (
    <div class="jp-mistudio-hooks">
      <div>
        <BlockDiagram
          architecture={architecture}
          offer={offer}
          chosen={set}
          kind={kind}
          onPoint={point => onChange(togglePoint(set, point, offer, memory.current))}
          onGlobal={name => onChange(toggleName(set, name, offer))}
        />
        {kinds.size > 0 && (
          <SelectField
            label={t('hooks.kinds')}
            value={kind ?? ''}
            options={[...kinds].map(([value, layers]) => ({
              value,
              label: t('hooks.kinds.layers', { kind: value, layers: formatLayers(layers, n) })
            }))}
            onChange={setKind}
          />
        )}
      </div>
      <div class="jp-mistudio-hooks-layers">
        <LayersField layers={axes.layers} n={n} onLayers={apply} error={error} />
        <div class="jp-mistudio-actions" role="group" aria-label={t('hooks.presets')}>
          <Button onClick={() => apply(range(0, n - 1, 1))}>{t('hooks.all')}</Button>
          <Button onClick={() => apply([])}>{t('hooks.none')}</Button>
          {n > 2 && <EveryField layers={axes.layers} n={n} onLayers={apply} />}
        </div>
        <HookGrid
          offer={offer}
          chosen={set}
          onToggle={name => onChange(toggleName(set, name, offer))}
          onLayer={layer => onChange(toggleLayer(set, layer, offer, memory.current))}
        />
        <ModuleNames
          names={chosen.filter(name => name.startsWith('module:'))}
          onRemove={name => onChange(toggleName(set, name, offer))}
        />
        {architecture.unavailable.length > 0 && (
          <div class="jp-mistudio-hint">
            {t('architecture.unavailable')}:
            <ul>
              {architecture.unavailable.map(each => (
                <li key={each.short}>
                  <code>{each.short}</code> – {each.reason}
                </li>
              ))}
            </ul>
          </div>
        )}
      </div>
    </div>
  );
}

interface LayersProps {
  layers: number[];
  n: number;
  onLayers: (layers: number[]) => void;
  error?: string | null;
}

/** The chosen layers as text; typing chooses, and what cannot be read changes nothing. */
function LayersField({ layers, n, onLayers, error }: LayersProps) {
  const shown = formatLayers(layers, n);
  const [text, setText] = useState(shown);
  const parsed = parseLayers(text, n);
  const mine = parsed.layers ? formatLayers(parsed.layers, n) : null;
  useEffect(() => {
    // What is typed stays as it is as long as it means the same.
    if (mine !== shown) {
      setText(shown);
    }
  }, [shown]);
  return (
    <TextField
      label={t('hooks.layers')}
      value={text}
      hint={t('hooks.layers.hint')}
      error={parsed.error ?? error}
      onChange={value => {
        setText(value);
        const next = parseLayers(value, n);
        if (next.layers) {
          onLayers(next.layers);
        }
      }}
      onCommit={() => {
        if (parsed.layers) {
          setText(shown);
        }
      }}
    />
  );
}

/** Every k-th layer, from the first on; empty for a choice that is none such. */
function EveryField({ layers, n, onLayers }: Omit<LayersProps, 'error'>) {
  const step = stepOf(layers);
  return (
    <label class="jp-mistudio-every">
      {t('hooks.every')}
      <input
        class="jp-mistudio-input"
        type="number"
        min={1}
        max={n - 1}
        aria-label={t('hooks.every.label')}
        placeholder="k"
        value={step || ''}
        onInput={event => {
          const wanted = event.currentTarget.valueAsNumber;
          if (Number.isInteger(wanted) && wanted > 0 && wanted < n) {
            onLayers(range(0, n - 1, wanted));
          }
        }}
      />
      {t('hooks.every.unit')}
    </label>
  );
}

function ModuleNames({ names, onRemove }: { names: string[]; onRemove: (name: string) => void }) {
  if (names.length === 0) {
    return null;
  }
  return (
    <div>
      <div class="jp-mistudio-hint">{t('hooks.other')}</div>
      <ul class="jp-mistudio-chips" aria-label={t('hooks.other')}>
        {names.map(name => (
          <li key={name}>
            <code>{name}</code>
            <Button
              kind="quiet"
              icon="cross"
              label={t('action.deleteNamed', { name })}
              onClick={() => onRemove(name)}
            />
          </li>
        ))}
      </ul>
    </div>
  );
}
