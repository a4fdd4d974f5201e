import { integer } from '../lib/format';
import { byTurn, folded, pieces } from '../lib/highlight';
import { count, t } from '../messages';
import type { Sample, Turn } from '../types';
import { Button } from '../ui/Button';
import { memo } from '../ui/memo';
import { short } from './FileForm';

/** Longer texts are folded: enough to know a document by. */
const FOLD = 420;

export function isLong(sample: Sample): boolean {
  return sample.text.length > FOLD;
}

interface Props {
  sample: Sample;
  unfolded: boolean;
  onToggle: () => void;
}

/** One document, as text whatever it contains, with what a search found in it. */
function Row({ sample, unfolded, onToggle }: Props) {
  const long = isLong(sample);
  const fold = long && !unfolded ? FOLD : undefined;
  const marks = sample.highlights ?? [];
  return (
    <>
      <div class="jp-mistudio-sample-index">
        {integer(sample.index)}
        {sample.n_tokens !== null && sample.n_tokens !== undefined && (
          <span> · {count(sample.n_tokens, 'token', integer(sample.n_tokens))}</span>
        )}
      </div>
      {sample.turns && sample.turns.length > 0 ? (
        <Turns turns={sample.turns} marks={marks} fold={fold} />
      ) : (
        <Text text={sample.text} marks={marks} fold={fold} />
      )}
      {sample.columns && <Columns columns={sample.columns} />}
      {long && (
        <Button kind="quiet" expanded={unfolded} onClick={onToggle}>
          {t(unfolded ? 'action.showLess' : 'action.showAll')}
        </Button>
      )}
    </>
  );
}

export const SampleRow = memo(
  Row,
  (before, after) => before.sample === after.sample && before.unfolded === after.unfolded
);

type Marks = readonly [number, number][];

function Text({ text, marks, fold }: { text: string; marks: Marks; fold?: number }) {
  const shown = fold === undefined ? { text, highlights: marks } : folded(text, marks, fold);
  return (
    <div class="jp-mistudio-sample-text" dir="auto">
      {text === '' && <em>{t('samples.blank')}</em>}
      {pieces(shown.text, shown.highlights).map((piece, index) =>
        piece.found ? <mark key={index}>{piece.text}</mark> : piece.text
      )}
    </div>
  );
}

/** A conversation, one part after the other; folded, from the first that matches until a row is full. */
function Turns({ turns, marks, fold }: { turns: readonly Turn[]; marks: Marks; fold?: number }) {
  const own = byTurn(turns, marks);
  const first =
    fold === undefined
      ? 0
      : Math.max(
          0,
          own.findIndex(each => each.length > 0)
        );
  let left = fold ?? Infinity;
  return (
    <ol class="jp-mistudio-turns">
      {turns.map((turn, index) => {
        if (index < first || left <= 0) {
          return null;
        }
        const room = fold === undefined ? undefined : left;
        left -= turn.content.length;
        return (
          <li key={index} data-role={turn.role}>
            <div class="jp-mistudio-sample-index">{[turn.role, ...besides(turn)].join(' · ')}</div>
            <Text text={turn.content} marks={own[index] ?? []} fold={room} />
          </li>
        );
      })}
    </ol>
  );
}

/** What a turn has beside its words: who answers, reasoning, calls of tools, parts that are no text. */
export function besides(turn: Turn): string[] {
  const reasons = ['reasoning_content', 'thinking', 'reasoning'].some(key => turn[key]);
  const calls = turn['tool_calls'] ?? turn['function_call'];
  const parts = Array.isArray(turn['parts']) ? turn['parts'] : [];
  const kinds = parts
    .map((part: unknown) => (part as { type?: unknown } | null)?.type)
    .filter((kind): kind is string => typeof kind === 'string' && kind !== 'text');
  const name = turn['name'];
  return [
    ...(typeof name === 'string' && name !== '' ? [name] : []),
    ...(reasons ? [t('turn.reasoning')] : []),
    ...(Array.isArray(calls)
      ? calls.length > 0
        ? [t('turn.calls')]
        : []
      : calls
        ? [t('turn.calls')]
        : []),
    ...new Set(kinds)
  ];
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
