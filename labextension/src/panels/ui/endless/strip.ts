/**
 * Arithmetic of a list that is far too long to be laid out. Heights of rows are known once a row has
 * been on the screen; until then the mean stands in. Nothing here touches the page.
 */

/** The row at the upper edge of the view, and how many of its pixels are above the edge. */
export interface Place {
  index: number;
  above: number;
}

/** Rows from `first` to `last`, both included; empty if last < first. */
export interface Range {
  first: number;
  last: number;
}

export const TOP: Place = { index: 0, above: 0 };

/** Heights that are kept; a list scrolls for hours and must not grow. */
const KEPT = 4000;
/** Over more rows a distance is an estimate: rows times mean. */
const COUNTED = 400;
/** Height of the scrolled content at most. Browsers lay out 17 to 33 million pixels at most. */
const LONGEST = 8_000_000;
/** Pixels before either end that scroll one to one, however long the list is. */
const SLACK = 20_000;

export class Strip {
  total = 0;
  /** Height of what can be seen. */
  view = 600;
  private readonly known = new Map<number, number>();
  private sum = 0;
  private n = 0;

  /** @param guess height of a row before any was measured */
  constructor(private readonly guess: number) {}

  get mean(): number {
    return this.n > 0 ? this.sum / this.n : this.guess;
  }

  height(index: number): number {
    return this.known.get(index) ?? this.mean;
  }

  measure(index: number, height: number): void {
    if (!this.known.has(index)) {
      this.sum += height;
      this.n += 1;
      if (this.known.size >= KEPT) {
        this.known.delete(this.known.keys().next().value ?? 0);
      }
    }
    this.known.set(index, height);
  }

  /** The width has changed: what was measured is no longer so. */
  forget(): void {
    const mean = this.mean;
    this.known.clear();
    this.sum = mean;
    this.n = 1;
  }

  /** Pixels from the upper edge of one row to that of another below it. */
  distance(from: number, to: number): number {
    if (to - from > COUNTED) {
      return (to - from) * this.mean;
    }
    let sum = 0;
    for (let index = from; index < to; index++) {
      sum += this.height(index);
    }
    return sum;
  }

  /** Height of the scrolled content: that of all rows, unless they are too many for a browser. */
  get length(): number {
    return Math.min(LONGEST, this.distance(0, this.total));
  }

  moved(from: Place, pixels: number): Place {
    let { index, above } = from;
    above += pixels;
    while (above < 0 && index > 0) {
      above += this.height(--index);
    }
    while (index < this.total - 1 && above >= this.height(index)) {
      above -= this.height(index++);
    }
    return this.clamped({ index, above });
  }

  /** The nearest place at which the view is full. */
  clamped(place: Place): Place {
    const index = Math.max(0, Math.min(place.index, this.total - 1));
    const above = Math.max(0, index === place.index ? place.above : 0);
    let below = -above;
    for (let row = index; row < this.total && below < this.view; row++) {
      below += this.height(row);
    }
    if (below >= this.view) {
      return { index, above };
    }
    return this.up({ index, above }, this.view - below);
  }

  /** Where the lower edge of the last row is that of the view. */
  get end(): Place {
    return this.clamped({ index: this.total - 1, above: this.height(this.total - 1) });
  }

  isTop(place: Place): boolean {
    return place.index === 0 && place.above < 1;
  }

  isEnd(place: Place): boolean {
    return this.below(place) < 1;
  }

  /** The place for a share of the way, 0 to 1: so far down the view is that share of all rows. */
  at(share: number): Place {
    const rows = Math.max(0, Math.min(1, share)) * this.total;
    const index = Math.max(0, Math.min(this.total - 1, Math.floor(rows)));
    const above = (rows - index) * this.height(index);
    return this.moved({ index, above }, -share * this.view);
  }

  /** The inverse of `at`. */
  share(place: Place): number {
    let y = -place.above;
    for (let row = place.index; row < this.total && y < this.view; row++) {
      const height = this.height(row);
      const slope = 1 / (height * this.total) - 1 / this.view;
      const meets = slope === 0 ? y : (y / (height * this.total) - row / this.total) / slope;
      if (meets <= y + height) {
        return Math.max(0, Math.min(1, meets / this.view));
      }
      y += height;
    }
    return 1;
  }

  /** The scroll position that stands for a place; near both ends pixel for pixel. */
  scrollTop(place: Place): number {
    const most = Math.max(0, this.length - this.view);
    const before = this.distance(0, place.index) + place.above;
    const least = Math.min(before, SLACK, most);
    const highest = most - Math.min(this.below(place), SLACK, most);
    return Math.max(least, Math.min(highest, this.share(place) * most));
  }

  /** The least move after which a row can be seen, its beginning at least. */
  showing(place: Place, index: number): Place {
    if (index <= place.index) {
      return this.clamped({ index, above: 0 });
    }
    const upper = this.distance(place.index, index) - place.above;
    const hidden = upper + this.height(index) - this.view;
    return hidden <= 0 ? place : this.moved(place, Math.min(hidden, upper));
  }

  /** The rows that can be seen, and those less than `margin` pixels away. */
  window(place: Place, margin = 0): Range {
    if (this.total === 0) {
      return { first: 0, last: -1 };
    }
    const { index, above } = this.up(place, margin);
    let last = index;
    let y = this.height(index) - above;
    const enough = this.view + margin + (this.distance(index, place.index) + place.above - above);
    while (last < this.total - 1 && y < enough) {
      y += this.height(++last);
    }
    return { first: index, last };
  }

  private up(from: Place, pixels: number): Place {
    let { index, above } = from;
    above -= pixels;
    while (above < 0 && index > 0) {
      above += this.height(--index);
    }
    return { index, above: Math.max(0, above) };
  }

  private below(place: Place): number {
    return this.distance(place.index, this.total) - place.above - this.view;
  }
}
