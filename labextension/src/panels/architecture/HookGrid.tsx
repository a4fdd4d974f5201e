import { useRef, useState } from 'preact/hooks';
import { globalName } from '../lib/grid';
import type { Offer } from '../lib/grid';
import { blockPoint } from '../lib/hooks';
import type { BlockPoint } from '../lib/hooks';
import { t } from '../messages';

interface Props {
  offer: Offer;
  chosen: ReadonlySet<string>;
  onToggle: (name: string) => void;
  onLayer: (layer: number) => void;
}

/**
 * Layers × hook points as checkboxes. The grid is one stop for Tab; arrow keys move in it, so that
 * a model of eighty layers does not cost hundreds of stops.
 */
export function HookGrid({ offer, chosen, onToggle, onLayer }: Props) {
  const table = useRef<HTMLTableElement>(null);
  const [at, setAt] = useState<[row: number, column: number]>([0, 1]);
  const columns = offer.points.length + 1;
  const rows = offer.nLayers;

  const move = (event: KeyboardEvent): void => {
    const [row, column] = at;
    const to: Record<string, [number, number]> = {
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1],
      Home: [row, 0],
      End: [row, columns - 1],
      PageUp: [0, column],
      PageDown: [rows - 1, column]
    };
    const target = to[event.key];
    if (!target) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    const next: [number, number] = [clamp(target[0], rows - 1), clamp(target[1], columns - 1)];
    setAt(next);
    table.current?.querySelector<HTMLElement>(`[data-cell="${next[0]},${next[1]}"]`)?.focus();
  };
  const cell = (row: number, column: number) => ({
    'data-cell': `${row},${column}`,
    tabIndex: at[0] === row && at[1] === column ? 0 : -1,
    onFocus: () => setAt([row, column])
  });

  return (
    <div>
      <div class="jp-mistudio-grid-scroll">
        <table class="jp-mistudio-grid" ref={table} aria-label={t('hooks.grid')} onKeyDown={move}>
          <thead>
            <tr>
              <th scope="col">
                <span class="jp-mistudio-hidden">{t('hooks.layer')}</span>
              </th>
              {offer.points.map(point => (
                <th key={point} scope="col">
                  <span>{point}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {Array.from({ length: rows }, (_, layer) => (
              <tr key={layer}>
                <th scope="row">
                  <button
                    type="button"
                    aria-label={t('hooks.layerToggle', { n: layer })}
                    onClick={() => onLayer(layer)}
                    {...cell(layer, 0)}
                  >
                    {layer}
                  </button>
                </th>
                {offer.points.map((point, index) => (
                  <td key={point}>
                    <Cell
                      name={blockPoint(layer, point as BlockPoint)}
                      offer={offer}
                      chosen={chosen}
                      onToggle={onToggle}
                      rest={cell(layer, index + 1)}
                    />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {offer.globals.length > 0 && (
        <div class="jp-mistudio-globals">
          {offer.globals.map(point => {
            const name = globalName(point);
            return (
              <label key={point}>
                <input type="checkbox" checked={chosen.has(name)} onChange={() => onToggle(name)} />
                <code>{name}</code>
              </label>
            );
          })}
        </div>
      )}
    </div>
  );
}

interface CellProps {
  name: string;
  offer: Offer;
  chosen: ReadonlySet<string>;
  onToggle: (name: string) => void;
  rest: Record<string, unknown>;
}

function Cell({ name, offer, chosen, onToggle, rest }: CellProps) {
  const offered = offer.names.has(name);
  return (
    <input
      type="checkbox"
      aria-label={name}
      title={name}
      checked={offered && chosen.has(name)}
      aria-disabled={!offered || undefined}
      class={offered ? undefined : 'jp-mistudio-mod-missing'}
      onClick={event => {
        if (!offered) {
          event.preventDefault();
        }
      }}
      onChange={() => {
        if (offered) {
          onToggle(name);
        }
      }}
      {...rest}
    />
  );
}

function clamp(value: number, max: number): number {
  return Math.max(0, Math.min(max, value));
}
