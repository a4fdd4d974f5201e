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
