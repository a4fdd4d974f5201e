import { signal } from '@preact/signals';
import type { ReadonlySignal } from '@preact/signals';
import { useMemo, useState } from 'preact/hooks';
import { integer } from '../lib/format';
import type { Pages } from '../lib/pages';
import { t } from '../messages';
import type { Sample } from '../types';
import { EndlessList } from '../ui/endless/EndlessList';
import type { Target } from '../ui/endless/EndlessList';
import type { Range } from '../ui/endless/strip';
import { isLong, SampleRow } from './SampleRow';
import type { SampleAnswer } from './Samples';

interface Props {
  pages: Pages<Sample, SampleAnswer>;
  total: number;
  /** Something searches or filters: what is counted is what was found. */
  found: boolean;
  loading: boolean;
  /** Where to begin, or to go. */
  to: Target;
  /** The row that is marked. */
  marked: number | null;
  onRest: (at: number) => void;
}

/** All samples of a split, or all that were found, in one list that scrolls without an end. */
export function SampleList(props: Props) {
  const { pages, total, found, marked } = props;
  const view = useMemo(() => signal<Range>({ first: 0, last: -1 }), []);
  const [unfolded, setUnfolded] = useState<ReadonlySet<number>>(new Set());
  const toggle = (index: number): void => {
    const next = new Set(unfolded);
    if (!next.delete(index)) {
      next.add(index);
    }
    setUnfolded(next);
  };
  return (
    <>
      <Position view={view} total={total} counted={pages.counted} found={found} />
      <EndlessList
        total={total}
        label={t('samples.title')}
        busy={props.loading}
        to={props.to}
        row={index => {
          const sample = pages.get(index);
          return sample === undefined ? null : (
            <SampleRow
              sample={sample}
              unfolded={unfolded.has(index)}
              onToggle={() => toggle(index)}
            />
          );
        }}
        waiting={index => (
          <div class="jp-mistudio-sample-index">{found ? '…' : `${integer(index)} …`}</div>
        )}
        facts={index => {
          const row = pages.get(index)?.index;
          const here = row !== undefined && row === marked;
          return {
            class: here ? 'jp-mistudio-sample jp-mistudio-mod-marked' : 'jp-mistudio-sample',
            'aria-current': here || undefined,
            'data-testid': row === undefined ? undefined : `mistudio-sample-${row}`
          };
        }}
        onPress={index => {
          const sample = pages.get(index);
          if (sample && isLong(sample)) {
            toggle(index);
          }
        }}
        onRange={({ first, last }) => pages.want(first, last)}
        onView={next => {
          view.value = next;
        }}
        onRest={place => props.onRest(place.index)}
      />
    </>
  );
}

interface PositionProps {
  view: ReadonlySignal<Range>;
  total: number;
  counted: boolean;
  found: boolean;
}

/** Which rows can be seen. Not said aloud: a row says its own number when it has the focus. */
function Position({ view, total, counted, found }: PositionProps) {
  const { first, last } = view.value;
  // What was found is counted from one; rows have the numbers that the dataset gives them.
  const from = found ? first + 1 : first;
  const to = found ? last + 1 : last;
  return (
    <div
      class="jp-mistudio-samples-position"
      title={counted ? undefined : t('samples.counting', { n: integer(total) })}
    >
      {total > 0 &&
        last >= first &&
        t(found ? 'samples.found' : 'samples.range', {
          from: integer(from),
          to: integer(to),
          total: counted ? integer(total) : `${integer(total)}+`
        })}
    </div>
  );
}
