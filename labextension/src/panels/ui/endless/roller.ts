/** Ties a `Strip` to the page: scrolls, measures, and keeps in place what is being read. */

import { Strip, TOP } from './strip';
import type { Place, Range } from './strip';

/** Scrolled farther at once than this many views: a jump with the scroll bar. */
const JUMP = 3;
const REST_MS = 150;
const GUESS = 90;

interface Elements {
  scroller: HTMLElement;
  /** As high as all rows, so that there is something to scroll. */
  spacer: HTMLElement;
  /** Holds the rows that are drawn. */
  block: HTMLElement;
}

interface Told {
  /** Draw these rows. */
  onRange: (range: Range) => void;
  /** These rows can be seen. */
  onView: (view: Range) => void;
  /** Nothing has moved for a moment. */
  onRest: (place: Place) => void;
}

/**
 * The browser scrolls by itself; rows are drawn a view ahead on both sides and move along with the
 * content. Only where the content is shorter than the rows it stands for (a browser's layout ends at some
 * million pixels), or heights turn out other than thought, scroll position and rows drift apart; both
 * are brought together while nothing moves.
 */
export class Roller {
  readonly strip = new Strip(GUESS);
  place: Place = TOP;
  range: Range = { first: 0, last: -1 };
  private elements: Elements | null = null;
  /** Scroll position that `place` belongs to. */
  private top = 0;
  private width = 0;
  /** What was asked for: it is kept in sight while rows turn out higher or lower than thought. */
  private aim: Place | 'end' | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly told: Told) {}

  /** Takes the elements over; the function that it returns lets them go. */
  attach(elements: Elements): () => void {
    this.elements = elements;
    const scrolled = (): void => this.scrolled();
    elements.scroller.addEventListener('scroll', scrolled, { passive: true });
    const observer = new ResizeObserver(() => this.resized());
    observer.observe(elements.scroller);
    observer.observe(elements.block);
    this.sync();
    this.resized();
    return () => {
      clearTimeout(this.timer);
      observer.disconnect();
      elements.scroller.removeEventListener('scroll', scrolled);
      this.elements = null;
    };
  }

  resize(total: number): void {
    if (total !== this.strip.total) {
      this.strip.total = total;
      this.place = this.strip.clamped(this.place);
      this.sync();
      this.draw();
    }
  }

  go(aim: Place | 'end'): void {
    this.aim = aim;
    this.place = this.resolved();
    this.sync();
    this.draw();
    this.rest();
  }

  goBy(pixels: number): void {
    this.go(this.strip.moved(this.place, pixels));
  }

  show(index: number): void {
    const { strip } = this;
    this.go(index === strip.total - 1 ? 'end' : strip.showing(this.place, index));
  }

  /** After drawing: measures the rows and puts them where they belong, before anyone sees them. */
  settle(): void {
    if (!this.elements) {
      return;
    }
    for (const row of this.elements.block.querySelectorAll<HTMLElement>(':scope > [data-known]')) {
      const { height } = row.getBoundingClientRect();
      if (height > 0) {
        this.strip.measure(Number(row.dataset['known']), height);
      }
    }
    this.place = this.resolved();
    this.put();
    this.draw();
  }

  private scrolled(): void {
    const scroller = this.elements?.scroller;
    const by = scroller ? scroller.scrollTop - this.top : 0;
    if (!scroller || by === 0) {
      return;
    }
    this.top = scroller.scrollTop;
    const { strip } = this;
    const most = scroller.scrollHeight - strip.view;
    const leftTop = this.top > 1;
    const leftEnd = this.top < most - 1;
    if (Math.abs(by) > JUMP * strip.view) {
      this.place = strip.at(this.top / most);
    } else {
      this.place = strip.moved(this.place, by);
      if (strip.isTop(this.place) === leftTop || strip.isEnd(this.place) === leftEnd) {
        // One of the two has come to an end before the other.
        this.sync();
      }
    }
    this.aim = !leftEnd && strip.isEnd(this.place) ? 'end' : null;
    this.draw();
    this.rest();
  }

  private resolved(): Place {
    const aim = this.aim ?? this.place;
    if (aim === 'end') {
      return this.strip.end;
    }
    // A row that was folded is lower than it was; its beginning is what one wants to see then.
    const folded = aim.above > 0 && aim.above >= this.strip.height(aim.index);
    return this.strip.clamped(folded ? { index: aim.index, above: 0 } : aim);
  }

  private rest(): void {
    this.told.onView(this.strip.window(this.place));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.sync();
      this.told.onRest(this.place);
    }, REST_MS);
  }

  /** Sizes may have changed: of the whole, or of rows that were unfolded. */
  private resized(): void {
    const scroller = this.elements?.scroller;
    if (!scroller) {
      return;
    }
    this.strip.view = scroller.clientHeight || this.strip.view;
    if (scroller.clientWidth !== this.width) {
      this.width = scroller.clientWidth;
      this.strip.forget();
    }
    this.settle();
    this.told.onView(this.strip.window(this.place));
  }

  /** Brings the scroll position to where the place is; nothing moves on the screen. */
  private sync(): void {
    if (this.elements) {
      const { scroller, spacer } = this.elements;
      spacer.style.height = `${this.strip.length}px`;
      this.strip.view = scroller.clientHeight || this.strip.view;
      const wanted = this.strip.scrollTop(this.place);
      if (Math.abs(wanted - scroller.scrollTop) >= 1) {
        scroller.scrollTop = wanted;
      }
      this.top = scroller.scrollTop;
      this.put();
    }
  }

  private put(): void {
    if (this.elements) {
      const above = this.strip.distance(this.range.first, this.place.index) + this.place.above;
      this.elements.block.style.top = `${this.top - above}px`;
    }
  }

  /** Has other rows drawn once those that are drawn do not reach half a view farther. */
  private draw(): void {
    const { view } = this.strip;
    const needed = this.strip.window(this.place, view / 2);
    const { first, last } = this.range;
    if (needed.first < first || needed.last > last || last >= this.strip.total) {
      this.range = this.strip.window(this.place, view);
      this.told.onRange(this.range);
    }
  }
}
