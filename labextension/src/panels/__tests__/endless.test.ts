import { describe, expect, it } from 'vitest';
import { Strip, TOP } from '../ui/endless/strip';
import { PAGE, Pages } from '../lib/pages';

/** A strip whose rows have the heights of a function, all of them measured where it walks. */
function strip(total: number, view = 500, height?: (index: number) => number): Strip {
  const made = new Strip(100);
  made.total = total;
  made.view = view;
  if (height) {
    for (let index = 0; index < Math.min(total, 2000); index++) {
      made.measure(index, height(index));
    }
  }
  return made;
}

describe('a strip of rows', () => {
  it('moves over rows of any height, and no farther than its ends', () => {
    const rows = strip(100, 500, index => (index % 2 === 0 ? 40 : 160));
    expect(rows.moved(TOP, 30)).toEqual({ index: 0, above: 30 });
    expect(rows.moved(TOP, 210)).toEqual({ index: 2, above: 10 });
    expect(rows.moved({ index: 2, above: 10 }, -210)).toEqual(TOP);
    expect(rows.moved({ index: 2, above: 0 }, -1e6)).toEqual(TOP);
    const end = rows.moved(TOP, 1e6);
    expect(end).toEqual(rows.end);
    expect(rows.isEnd(end)).toBe(true);
    expect(rows.distance(end.index, 100) - end.above).toBe(500);
  });

  it('stays at the top where everything fits', () => {
    const rows = strip(3, 500, () => 100);
    expect(rows.moved(TOP, 250)).toEqual(TOP);
    expect(rows.end).toEqual(TOP);
    expect(rows.scrollTop(TOP)).toBe(0);
    expect(rows.length).toBe(300);
    expect(strip(0).window(TOP)).toEqual({ first: 0, last: -1 });
  });

  it('is no longer than a browser can lay out, and every row can be reached', () => {
    const rows = strip(1_000_000);
    expect(rows.length).toBeLessThan(17_000_000);
    expect(rows.at(0)).toEqual(TOP);
    expect(rows.at(1)).toEqual(rows.end);
    for (const share of [0.001, 0.25, 0.5, 0.9999]) {
      expect(rows.share(rows.at(share))).toBeCloseTo(share, 9);
    }
    const middle = rows.at(0.5);
    expect(Math.abs(middle.index - 500_000)).toBeLessThan(10);
  });

  it('scrolls pixel for pixel near its ends, however long it is', () => {
    const rows = strip(1_000_000);
    expect(rows.scrollTop({ index: 50, above: 20 })).toBe(5020);
    const most = rows.length - rows.view;
    expect(most - rows.scrollTop(rows.moved(rows.end, -3000))).toBeCloseTo(3000, 3);
    expect(rows.scrollTop(rows.at(0.5))).toBeCloseTo(most / 2, 0);
  });

  it('shows a row with the least move', () => {
    const rows = strip(100, 500, () => 100);
    expect(rows.showing(TOP, 3)).toEqual(TOP);
    expect(rows.showing(TOP, 7)).toEqual({ index: 3, above: 0 });
    expect(rows.showing({ index: 50, above: 30 }, 50)).toEqual({ index: 50, above: 0 });
    expect(rows.showing({ index: 50, above: 0 }, 2)).toEqual({ index: 2, above: 0 });
    rows.measure(60, 900);
    // Higher than the view: its beginning.
    expect(rows.showing({ index: 50, above: 0 }, 60)).toEqual({ index: 60, above: 0 });
  });

  it('names the rows that are seen, and those near them', () => {
    const rows = strip(100, 500, () => 100);
    expect(rows.window({ index: 10, above: 0 })).toEqual({ first: 10, last: 14 });
    expect(rows.window({ index: 10, above: 50 })).toEqual({ first: 10, last: 15 });
    expect(rows.window({ index: 10, above: 50 }, 200)).toEqual({ first: 8, last: 17 });
    expect(rows.window(TOP, 200)).toEqual({ first: 0, last: 6 });
    expect(rows.window(rows.end, 200)).toEqual({ first: 93, last: 99 });
  });

  it('forgets heights with the width, but not how high rows are about', () => {
    const rows = strip(1000, 500, () => 250);
    rows.forget();
    expect(rows.height(5)).toBe(250);
    rows.measure(5, 100);
    expect(rows.height(5)).toBe(100);
  });
});

describe('pages', () => {
  const asked: number[] = [];
  let release: (() => void)[] = [];
  const read = async (offset: number): Promise<{ total: number; rows: number[] }> => {
    asked.push(offset);
    await new Promise<void>(done => release.push(done));
    return { total: 10_000, rows: Array.from({ length: PAGE }, (_, i) => offset + i) };
  };
  const arrive = async (): Promise<void> => {
    const now = release;
    release = [];
    now.forEach(done => done());
    await new Promise(done => setTimeout(done, 0));
  };

  it('are fetched where rows are wanted, then ahead, two at a time', async () => {
    const pages = new Pages(read, () => undefined);
    pages.want(120, 130);
    expect(asked).toEqual([100, 50]);
    await arrive();
    expect(pages.get(123)).toBe(123);
    pages.want(120, 130);
    expect(asked).toEqual([100, 50, 150]);
    pages.want(5000, 5001);
    // Meanwhile someone has scrolled far away: what lies between is not worth asking for.
    pages.want(7000, 7010);
    pages.want(9000, 9010);
    await arrive();
    expect(asked.slice(3)).toEqual([5000, 9000, 9050]);
    expect(pages.get(7000)).toBeUndefined();
  });

  it('can be read while they are still counted', async () => {
    const pages = new Pages(
      async offset => ({ total: offset + 100, atLeast: true, rows: [offset] }),
      () => undefined
    );
    const settled = (): Promise<unknown> => new Promise(done => setTimeout(done, 5));
    pages.want(0, 10);
    await settled();
    expect([pages.total, pages.counted]).toEqual([100, false]);
    pages.count(4000);
    pages.want(3960, 3999);
    await settled();
    expect([pages.total, pages.counted, pages.get(3950)]).toEqual([4000, true, 3950]);
  });

  it('are dropped when they are far, and asked for again after a failure', async () => {
    let fails = false;
    const pages = new Pages(
      async offset => {
        if (fails) {
          throw new Error('gone');
        }
        return { total: 5000, rows: Array.from({ length: PAGE }, () => offset) };
      },
      () => undefined
    );
    const settled = (): Promise<unknown> => new Promise(done => setTimeout(done, 5));
    for (let row = 0; row < 5000; row += PAGE) {
      pages.want(row, row + 1);
      await settled();
    }
    expect(pages.get(0)).toBeUndefined();
    expect(pages.get(4900)).toBe(4900);
    fails = true;
    pages.want(0, 1);
    await settled();
    expect(pages.error?.message).toBe('gone');
    fails = false;
    pages.retry();
    await settled();
    expect(pages.error).toBeNull();
    expect(pages.get(0)).toBe(0);
  });
});
