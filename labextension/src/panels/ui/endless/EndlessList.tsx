import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Roller } from './roller';
import { TOP } from './strip';
import type { Place, Range } from './strip';

export interface Target extends Place {
  /** The list itself is brought into view too, where it is a part of something that scrolls. */
  reveal?: boolean;
}

interface Props {
  total: number;
  label: string;
  busy?: boolean;
  /** Where to begin, and where to go whenever another object is given. */
  to?: Target;
  /** The content of a row; null while it is not there yet. */
  row: (index: number) => ComponentChildren | null;
  /** What stands in a row that is not there yet. */
  waiting: (index: number) => ComponentChildren;
  /** Facts of a row's element beside those that the list needs. */
  facts?: (index: number) => { class?: string; 'aria-current'?: true; 'data-testid'?: string };
  /** Enter or the space bar was pressed on a row. */
  onPress?: (index: number) => void;
  /** Rows that are drawn: their content is wanted. */
  onRange: (range: Range) => void;
  /** Rows that can be seen. */
  onView: (view: Range) => void;
  onRest?: (place: Place) => void;
}

/** Shares of the view that keys scroll by. */
const PAGE = 0.9;
const LINE = 0.5;

/**
 * Any number of rows of any height; only those near what is seen are in the page. A feed by the ARIA
 * pattern: rows take the focus, say which of how many they are, and the arrow keys, Page Up and
 * Down, Home and End move through all of them, not only those that are drawn.
 */
export function EndlessList(props: Props) {
  const { total, to } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const spacer = useRef<HTMLDivElement>(null);
  const block = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const [range, setRange] = useState<Range>({ first: 0, last: -1 });
  /** A row that gets the focus once it is drawn. */
  const focus = useRef<number | null>(null);
  const roller = useMemo(
    () =>
      new Roller({
        onRange: next => {
          keepFocus(scroller.current, next);
          setRange(next);
          latest.current.onRange(next);
        },
        onView: view => latest.current.onView(view),
        onRest: place => latest.current.onRest?.(place)
      }),
    []
  );
  useLayoutEffect(() => {
    roller.resize(total);
    roller.go(to ?? TOP);
    if (scroller.current && spacer.current && block.current) {
      return roller.attach({
        scroller: scroller.current,
        spacer: spacer.current,
        block: block.current
      });
    }
    return undefined;
  }, [roller]);
  useLayoutEffect(() => roller.resize(total), [total]);
  const begun = useRef(to);
  useEffect(() => {
    if (to && to !== begun.current) {
      roller.go(to);
    }
    begun.current = to;
    if (to?.reveal) {
      scroller.current?.scrollIntoView?.({ block: 'nearest' });
    }
  }, [to]);
  useLayoutEffect(() => {
    roller.settle();
    if (focus.current !== null) {
      const row = rowElement(block.current, focus.current);
      if (row) {
        focus.current = null;
        row.focus({ preventScroll: true });
      }
    }
  });
  const goTo = (index: number): void => {
    roller.show(index);
    const row = rowElement(block.current, index);
    row?.focus({ preventScroll: true });
    focus.current = row ? null : index;
  };
  const pressed = (event: KeyboardEvent): void => {
    const done = event.ctrlKey || event.metaKey || event.altKey ? false : key(event);
    if (done) {
      event.preventDefault();
      event.stopPropagation();
    }
  };
  const key = (event: KeyboardEvent): boolean => {
    const { strip } = roller;
    const seen = strip.window(roller.place);
    const at = indexOf(event.target);
    if (at !== null && (event.key === 'Enter' || event.key === ' ')) {
      latest.current.onPress?.(at);
      return true;
    }
    if (
      !(event.target instanceof HTMLElement) ||
      (at === null && event.target !== scroller.current)
    ) {
      return false;
    }
    const down = event.key === 'ArrowDown' || event.key === 'PageDown';
    switch (event.key) {
      case 'Home':
        goTo(0);
        return true;
      case 'End':
        goTo(total - 1);
        return true;
      case 'PageDown':
      case 'PageUp':
        roller.goBy((down ? 1 : -1) * PAGE * strip.view);
        goTo(firstWhole(roller));
        return true;
      case 'ArrowDown':
      case 'ArrowUp':
        if (at === null || at < seen.first || at > seen.last) {
          goTo(firstWhole(roller));
        } else if (hangsOver(roller, at, down)) {
          // A row that is higher than the view is read to its end first.
          roller.goBy((down ? 1 : -1) * LINE * strip.view);
        } else {
          goTo(Math.max(0, Math.min(total - 1, at + (down ? 1 : -1))));
        }
        return true;
      default:
        return false;
    }
  };
  const rows = [];
  for (let index = range.first; index <= Math.min(range.last, total - 1); index++) {
    const content = props.row(index);
    rows.push(
      <article
        key={index}
        data-row={index}
        data-known={content === null ? undefined : index}
        tabIndex={-1}
        aria-posinset={index + 1}
        aria-setsize={total}
        aria-busy={content === null || undefined}
        style={content === null ? { minHeight: `${roller.strip.mean}px` } : undefined}
        {...props.facts?.(index)}
      >
        {content ?? props.waiting(index)}
      </article>
    );
  }
  return (
    <div
      class="jp-mistudio-endless"
      role="feed"
      aria-label={props.label}
      aria-busy={props.busy}
      tabIndex={0}
      ref={scroller}
      onKeyDown={pressed}
    >
      <div class="jp-mistudio-endless-all" ref={spacer}>
        <div class="jp-mistudio-endless-rows" ref={block}>
          {rows}
        </div>
      </div>
    </div>
  );
}

function rowElement(block: HTMLElement | null, index: number): HTMLElement | null {
  return block?.querySelector<HTMLElement>(`:scope > [data-row="${index}"]`) ?? null;
}

/** The row that an element is; null for what is inside of one, e.g. a button. */
function indexOf(target: EventTarget | null): number | null {
  const row = target instanceof HTMLElement ? target.dataset['row'] : undefined;
  return row === undefined ? null : Number(row);
}

/** A row with the focus that is about to be taken away gives it to the list: the keys go on working. */
function keepFocus(scroller: HTMLElement | null, next: Range): void {
  const home = scroller?.getRootNode() as Document | ShadowRoot | undefined;
  const row = home?.activeElement?.closest<HTMLElement>('[data-row]');
  if (scroller && row && scroller.contains(row)) {
    const index = Number(row.dataset['row']);
    if (index < next.first || index > next.last) {
      scroller.focus({ preventScroll: true });
    }
  }
}

/** The first row whose beginning can be seen. */
function firstWhole({ strip, place }: Roller): number {
  return place.above < 1 ? place.index : Math.min(place.index + 1, strip.total - 1);
}

/** Whether a row goes on beyond the view in a direction. */
function hangsOver({ strip, place }: Roller, index: number, down: boolean): boolean {
  const upper = strip.distance(place.index, index) - (index >= place.index ? place.above : 0);
  return down
    ? upper + strip.height(index) > strip.view + 1 && !strip.isEnd(place)
    : index === place.index && place.above > 1;
}
