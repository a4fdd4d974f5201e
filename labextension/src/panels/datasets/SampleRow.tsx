import { useEffect, useRef, useState } from 'preact/hooks';
import { integer } from '../lib/format';
import { foldStart, pieces } from '../lib/highlight';
import { count, t } from '../messages';
import type { Sample, Turn } from '../types';
import { Button } from '../ui/Button';
import { short } from './FileForm';

/** Longer texts are folded: enough to know a document by. */
const FOLD = 420;

/** One document, as text whatever it contains, with what a search found in it. */
export function SampleRow({ sample, marked }: { sample: Sample; marked?: boolean }) {
  const row = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (marked) {
      row.current?.scrollIntoView?.({ block: 'nearest' });
    }
  }, [marked]);
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
    <li
      ref={row}
      data-testid={`mistudio-sample-${sample.index}`}
      class={marked ? 'jp-mistudio-mod-marked' : undefined}
      aria-current={marked || undefined}
    >
      <div class="jp-mistudio-sample-index">
        {integer(sample.index)}
        {sample.n_tokens !== null && sample.n_tokens !== undefined && (
          <span> · {count(sample.n_tokens, 'token', integer(sample.n_tokens))}</span>
        )}
      </div>
      {sample.turns && sample.turns.length > 0 ? (
        <Turns turns={sample.turns} />
      ) : (
        <div class="jp-mistudio-sample-text" dir="auto">
          {text === '' && <em>{t('samples.blank')}</em>}
          {pieces(text, marks).map((piece, index) =>
            piece.found ? <mark key={index}>{piece.text}</mark> : piece.text
          )}
        </div>
      )}
      {sample.columns && <Columns columns={sample.columns} />}
      {long && !sample.turns?.length && (
        <Button kind="quiet" expanded={unfolded} onClick={() => setUnfolded(!unfolded)}>
          {t(unfolded ? 'action.showLess' : 'action.showAll')}
        </Button>
      )}
    </li>
  );
}

/** A conversation, one part after the other. */
function Turns({ turns }: { turns: readonly Turn[] }) {
  return (
    <ol class="jp-mistudio-turns">
      {turns.map((turn, index) => (
        <li key={index} data-role={turn.role}>
          <div class="jp-mistudio-sample-index">{turn.role}</div>
          <div class="jp-mistudio-sample-text" dir="auto">
            {turn.content}
          </div>
        </li>
      ))}
    </ol>
  );
}

function Columns({ columns }: { columns: Record<string, unknown> }) {
  return (
    <dl class="jp-mistudio-sample-columns">
      {Object.entries(columns).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{short(value, 400)}</dd>
        </div>
      ))}
    </dl>
  );
}
