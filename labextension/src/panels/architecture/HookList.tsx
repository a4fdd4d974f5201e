import { useMemo } from 'preact/hooks';
import { BLOCK_SHORTS, GLOBAL_SHORTS } from '../lib/hooks';
import { integer, quantity } from '../lib/format';
import { formatLayers } from '../lib/layers';
import { t, tData } from '../messages';
import type { Architecture, HookPoint } from '../types';
import { Icon } from '../ui/Icon';

/** One kind of hook point over all layers. */
export interface HookKind {
  short: string;
  layers: number[];
  d: number;
  verified: boolean;
  maxError: number | null;
}

const ORDER: string[] = ['embed', ...BLOCK_SHORTS, ...GLOBAL_SHORTS.filter(s => s !== 'embed')];

/** The hook points by kind, in the order of the forward pass. */
export function hookKinds(hooks: readonly HookPoint[]): HookKind[] {
  const kinds = new Map<string, HookKind>();
  for (const hook of hooks) {
    const kind = kinds.get(hook.short);
    const error = hook.max_error ?? null;
    if (!kind) {
      kinds.set(hook.short, {
        short: hook.short,
        layers: hook.layer === null ? [] : [hook.layer],
        d: hook.d,
        verified: hook.verified === true,
        maxError: error
      });
      continue;
    }
    if (hook.layer !== null) {
      kind.layers.push(hook.layer);
    }
    kind.verified &&= hook.verified === true;
    kind.maxError = Math.max(kind.maxError ?? 0, error ?? 0);
  }
  const place = (kind: HookKind): number => (ORDER.indexOf(kind.short) + 99) % 99;
  return [...kinds.values()].sort((a, b) => place(a) - place(b));
}

/** What each hook point is, how wide, and how it was checked. */
export function HookList({ architecture }: { architecture: Architecture }) {
  const kinds = useMemo(() => hookKinds(architecture.hooks), [architecture]);
  return (
    <table class="jp-mistudio-table jp-mistudio-hooklist" aria-label={t('points.title')}>
      <thead>
        <tr>
          <th scope="col">{t('points.point')}</th>
          <th scope="col">{t('points.width')}</th>
          <th scope="col">{t('points.layers')}</th>
          <th scope="col">{t('points.checked')}</th>
        </tr>
      </thead>
      <tbody>
        {kinds.map(kind => (
          <tr key={kind.short}>
            <th scope="row">
              <code>{kind.short}</code>
              <div class="jp-mistudio-hint">{tData('point', kind.short)}</div>
            </th>
            <td>{integer(kind.d)}</td>
            <td>
              {kind.layers.length > 0 ? formatLayers(kind.layers, architecture.n_layers) : '–'}
            </td>
            <td>
              <Checked kind={kind} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Checked({ kind }: { kind: HookKind }) {
  if (!kind.verified) {
    return (
      <>
        <Icon name="dash" /> {t('points.checked.no')}
      </>
    );
  }
  return (
    <>
      <Icon name="check" />{' '}
      {kind.maxError
        ? t('points.checked.error', { error: quantity(kind.maxError) })
        : t('points.checked.exact')}
    </>
  );
}
