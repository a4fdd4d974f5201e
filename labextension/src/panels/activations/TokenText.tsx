import { memo } from '../ui/memo';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { quantity } from '../lib/format';
import { t } from '../messages';
import type { SampleValues } from '../types';
import { useUid } from '../ui/hooks';
import { colour } from './scale';
import type { Scale } from './scale';

interface Props {
  shown: SampleValues;
  scale: Scale;
  chosen: number | null;
  onChoose: (position: number) => void;
  onHover: (position: number | null) => void;
}

/** What a token looks like: a line end is made visible, an empty or unknown one named. */
export function tokenLabel(shown: SampleValues, position: number): string {
  const text = shown.texts?.[position];
  return text === undefined || text === '' ? `[${shown.ids[position]}]` : text;
}

/** The value of a token as text; only some positions may have one. */
export function valueText(shown: SampleValues, position: number): string {
  const value = valueAt(shown, position);
  if (value === undefined) {
    return t('tokens.notStored');
  }
  return value === null ? t('tokens.notFinite') : quantity(value);
}

function valueAt(shown: SampleValues, position: number): number | null | undefined {
  if (shown.positions === 'all') {
    return shown.values[position];
  }
  const last = shown.positions === 'last' && position === shown.ids.length - 1;
  return last ? shown.values[0] : undefined;
}

/**
 * The tokens as one list that the arrow keys move in. Pointing and moving touch two elements, not
 * the list: thousands of tokens are made once per sample.
 */
export function TokenText({ shown, scale, chosen, onChoose, onHover }: Props) {
  const uid = useUid('tokens');
  const list = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const now = chosen === null ? null : list.current?.children[chosen];
    now?.setAttribute('aria-selected', 'true');
    if (list.current?.contains(document.activeElement)) {
      now?.scrollIntoView({ block: 'nearest' });
    }
    return () => now?.setAttribute('aria-selected', 'false');
  }, [chosen, shown]);
  const move = (event: KeyboardEvent): void => {
    const to = target(event.key, list.current, chosen ?? -1, shown.ids.length);
    if (to !== null) {
      event.preventDefault();
      event.stopPropagation();
      onChoose(to);
    }
  };
  const at = (event: Event): number | null => {
    const option = (event.target as Element).closest<HTMLElement>('[role=option]');
    return option ? Number(option.dataset['position']) : null;
  };
  return (
    <div
      ref={list}
      class="jp-mistudio-tokens"
      role="listbox"
      tabIndex={0}
      dir="auto"
      aria-label={t('tokens.list', { n: shown.sample })}
      aria-activedescendant={chosen === null ? undefined : `${uid}-${chosen}`}
      onKeyDown={move}
      onClick={event => {
        const position = at(event);
        if (position !== null) {
          onChoose(position);
        }
      }}
      onPointerOver={event => onHover(at(event))}
      onPointerLeave={() => onHover(null)}
    >
      <Options uid={uid} shown={shown} scale={scale} />
    </div>
  );
}

interface OptionsProps {
  uid: string;
  shown: SampleValues;
  scale: Scale;
}

const Options = memo(
  ({ uid, shown, scale }: OptionsProps) => (
    <>
      {shown.ids.map((_, position) => {
        const value = valueAt(shown, position);
        const share = scale.share(value);
        const label = tokenLabel(shown, position);
        return (
          <span
            key={position}
            id={`${uid}-${position}`}
            role="option"
            aria-selected="false"
            data-position={position}
            class={markOf(value, share)}
            style={{ background: colour(share) }}
            aria-label={t('tokens.value', { token: label, value: valueText(shown, position) })}
          >
            {label.replace(/\n/g, '⏎\n')}
          </span>
        );
      })}
    </>
  ),
  (before, after) => sameTokens(before.shown, after.shown)
);

/** What tells a value below zero, or one that is no number, from others without colour. */
function markOf(value: number | null | undefined, share: number | null): string | undefined {
  if (value === null) {
    return 'jp-mistudio-mod-infinite';
  }
  return share !== null && share < 0 ? 'jp-mistudio-mod-below' : undefined;
}

/** Whether two answers colour the same tokens alike: what is written of an array never changes. */
function sameTokens(before: SampleValues, after: SampleValues): boolean {
  return (['start', 'hook', 'dimension'] as const).every(key => before[key] === after[key]);
}

/** Where a key leads from a token: left and right by one, up and down by a line. */
function target(key: string, list: Element | null, from: number, n: number): number | null {
  switch (key) {
    case 'ArrowLeft':
      return Math.max(0, from - 1);
    case 'ArrowRight':
      return Math.min(n - 1, from + 1);
    case 'Home':
      return 0;
    case 'End':
      return n - 1;
    case 'ArrowUp':
      return line(list, from, -1);
    case 'ArrowDown':
      return line(list, from, 1);
    default:
      return null;
  }
}

/** The token nearest to a token's left edge in the line above or below. */
function line(list: Element | null, from: number, step: 1 | -1): number {
  const tokens = list?.children as HTMLCollectionOf<HTMLElement> | undefined;
  const start = tokens?.[from];
  if (!tokens || !start) {
    return 0;
  }
  let best = from;
  let row: number | null = null;
  for (let i = from + step; i >= 0 && i < tokens.length; i += step) {
    const { offsetTop, offsetLeft } = tokens[i] as HTMLElement;
    if (Math.abs(offsetTop - start.offsetTop) < 4) {
      continue;
    }
    row ??= offsetTop;
    if (Math.abs(offsetTop - row) >= 4) {
      break;
    }
    const left = (tokens[best] as HTMLElement).offsetLeft;
    if (
      best === from ||
      Math.abs(offsetLeft - start.offsetLeft) < Math.abs(left - start.offsetLeft)
    ) {
      best = i;
    }
  }
  return best;
}
