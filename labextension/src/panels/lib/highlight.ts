/** A piece of text; `found` if a search matched it. */
export interface Piece {
  text: string;
  found: boolean;
}

/**
 * Cuts a text at its highlights. They count Unicode code points, as Python does; a string here
 * counts UTF-16 units.
 */
export function pieces(text: string, highlights: readonly [number, number][]): Piece[] {
  if (highlights.length === 0) {
    return [{ text, found: false }];
  }
  const points = Array.from(text);
  const result: Piece[] = [];
  let at = 0;
  for (const [start, end] of [...highlights].sort((a, b) => a[0] - b[0])) {
    const from = Math.max(start, at);
    if (from > at) {
      result.push({ text: points.slice(at, from).join(''), found: false });
    }
    if (end > from) {
      result.push({ text: points.slice(from, end).join(''), found: true });
    }
    at = Math.max(at, end);
  }
  if (at < points.length) {
    result.push({ text: points.slice(at).join(''), found: false });
  }
  return result.filter(piece => piece.text !== '');
}

/** Where to begin a folded text so that its first match can be seen, in code points. */
export function foldStart(highlights: readonly [number, number][], fold: number): number {
  const first = highlights.reduce((least, [start]) => Math.min(least, start), Infinity);
  return first === Infinity || first < fold * 0.7 ? 0 : Math.max(0, first - Math.floor(fold / 3));
}

/** A text cut to about `fold` code points around its first match, its highlights moved along. */
export function folded(
  text: string,
  highlights: readonly [number, number][],
  fold: number
): { text: string; highlights: [number, number][] } {
  const start = foldStart(highlights, fold);
  // Two UTF-16 units per code point at most: a document of megabytes is not taken apart.
  const near = Array.from(text.slice(0, 2 * (start + fold + 1)));
  const points = near.slice(start, start + fold);
  const lead = start > 0 ? '…' : '';
  const offset = start - lead.length;
  return {
    text: lead + (near.length > start + fold ? points.join('').trimEnd() + '…' : points.join('')),
    highlights: highlights
      .filter(([, end]) => end > start && end <= start + fold)
      .map(([from, to]): [number, number] => [Math.max(from, start) - offset, to - offset])
  };
}

/**
 * The highlights of each turn of a conversation. Searched is a text with a line `role: content` for
 * each turn, and that is what highlights count in.
 */
export function byTurn(
  turns: readonly { role: string; content: string }[],
  highlights: readonly [number, number][]
): [number, number][][] {
  let end = 0;
  return turns.map(({ role, content }) => {
    if (highlights.length === 0) {
      return [];
    }
    const start = end + Array.from(role).length + 2;
    const length = Array.from(content).length;
    end = start + length + 1;
    return highlights
      .map(([from, to]): [number, number] => [
        Math.max(0, from - start),
        Math.min(length, to - start)
      ])
      .filter(([from, to]) => from < to);
  });
}
