import { useState } from 'preact/hooks';
import { integer } from '../lib/format';
import { foldStart, pieces } from '../lib/highlight';
import { count, t } from '../messages';
import type { Sample } from '../types';
import { Button } from '../ui/Button';

/** Longer texts are folded: enough to know a document by. */
const FOLD = 420;

/** One document, as text whatever it contains, with what a search found in it. */
export function SampleRow({ sample }: { sample: Sample }) {
  const [unfolded, setUnfolded] = useState(false);
  const highlights = sample.highlights ?? [];
  const long = sample.text.length > FOLD;
  let text = sample.text;
  let marks = highlights;
  if (long && !unfolded) {
    const start = foldStart(highlights, FOLD);
    // Two UTF-16 units per code point at most: a document of megabytes is not taken apart.
    const points = Array.from(text.slice(0, 2 * (start + FOLD))).slice(start, start + FOLD);
    const lead = start > 0 ? '…' : '';
    const offset = start - lead.length;
    text = lead + points.join('').trimEnd() + '…';
    marks = highlights
      .filter(([, end]) => end > start && end <= start + FOLD)
      .map(([from, to]): [number, number] => [Math.max(from, start) - offset, to - offset]);
  }
  return (
    <li data-testid={`mistudio-sample-${sample.index}`}>
      <div class="jp-mistudio-sample-index">
        {integer(sample.index)}
        {sample.n_tokens !== null && sample.n_tokens !== undefined && (
          <span> · {count(sample.n_tokens, 'token', integer(sample.n_tokens))}</span>
        )}
      </div>
      <div class="jp-mistudio-sample-text" dir="auto">
        {text === '' && <em>{t('samples.blank')}</em>}
        {pieces(text, marks).map((piece, index) =>
          piece.found ? <mark key={index}>{piece.text}</mark> : piece.text
        )}
      </div>
      {long && (
        <Button kind="quiet" expanded={unfolded} onClick={() => setUnfolded(!unfolded)}>
          {t(unfolded ? 'action.showLess' : 'action.showAll')}
        </Button>
      )}
    </li>
  );
}
