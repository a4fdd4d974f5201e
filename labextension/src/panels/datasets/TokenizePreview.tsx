import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { integer } from '../lib/format';
import { count, t } from '../messages';
import type { Dataset } from '../types';
import { Button } from '../ui/Button';
import { CheckField } from '../ui/CheckField';
import { ErrorNote } from '../ui/ErrorNote';
import { Field, RowField } from '../ui/Field';
import { Pager } from '../ui/Pager';
import { TokenChips } from '../ui/TokenChips';
import { useLive } from '../ui/useLive';
import { preview } from './rest';
import type { PreviewOf } from './rest';
import type { Preview, TokenizeSettings } from './types';

/** Contexts of a page. */
const PAGE = 4;

interface Props {
  dataset: Dataset;
  split: string;
  column: string;
  settings: TokenizeSettings | null;
}

/** What the settings make of a text: a sample of the dataset, or whatever is typed. */
export function TokenizePreview({ dataset, split, column, settings }: Props) {
  const { store } = usePanel();
  const [typed, setTyped] = useState<string | null>(null);
  const [row, setRow] = useState(0);
  const [page, setPage] = useState({ of: '', offset: 0 });
  const [ids, setIds] = useState(false);
  const chat = settings?.chat_template ?? false;
  const of: PreviewOf =
    typed === null
      ? { dataset: dataset.id, split, column, rows: [row] }
      : { texts: [chat ? [{ role: 'user', content: typed }] : typed] };
  const text = JSON.stringify([settings, of]);
  const offset = page.of === text ? page.offset : 0;
  const asked = settings && typed !== '' ? JSON.stringify([settings, of, offset]) : null;
  const { value, error } = useLive(asked, (key, signal) => {
    const [now, what, from] = JSON.parse(key) as [TokenizeSettings, PreviewOf, number];
    return preview(store.api, now, what, { offset: from, limit: PAGE }, signal);
  });
  const rows = dataset.splits.find(each => each.name === split)?.n_rows ?? null;
  return (
    <div class="jp-mistudio-preview" data-testid="mistudio-tokenize-preview">
      <Field
        label={t('preview.text')}
        hint={t(
          typed === null ? 'preview.text.hint' : chat ? 'preview.text.chat' : 'preview.text.own'
        )}
      >
        {({ id, describedBy }) => (
          <textarea
            id={id}
            class="jp-mistudio-input"
            rows={4}
            value={typed ?? value?.texts[0] ?? ''}
            aria-describedby={describedBy}
            spellcheck={false}
            onInput={event => setTyped(event.currentTarget.value)}
          />
        )}
      </Field>
      <div class="jp-mistudio-actions">
        {typed === null ? (
          <RowField label={t('preview.row')} value={row} rows={rows} onChange={setRow} />
        ) : (
          <Button onClick={() => setTyped(null)}>{t('preview.back')}</Button>
        )}
        <CheckField label={t('preview.ids')} checked={ids} onChange={setIds} />
      </div>
      {error && <ErrorNote error={error} />}
      {value && !error && typed !== '' && (
        <Contexts
          value={value}
          offset={offset}
          ids={ids}
          onTurn={to => setPage({ of: text, offset: to })}
        />
      )}
    </div>
  );
}

interface ContextsProps {
  value: Preview;
  offset: number;
  ids: boolean;
  onTurn: (offset: number) => void;
}

function Contexts({ value, offset, ids, onTurn }: ContextsProps) {
  const { n_tokens, n_contexts, contexts } = value;
  const left = Object.values(value.skipped).some(n => typeof n === 'number' && n > 0);
  return (
    <>
      <div class="jp-mistudio-hint" role="status">
        {`${count(n_tokens, 'token', integer(n_tokens))}, ${count(n_contexts, 'context')}`}
        {left && ` · ${t('preview.skipped')}`}
      </div>
      {contexts.map((context, index) => (
        <div key={index} class="jp-mistudio-context">
          {n_contexts > 1 && (
            <div class="jp-mistudio-sample-index">
              {t('preview.context', { n: integer(offset + index + 1) })}
            </div>
          )}
          <TokenChips tokens={context.tokens} ids={ids} />
        </div>
      ))}
      {n_contexts > PAGE && (
        <Pager
          label={t('preview.contexts.label')}
          text={t('preview.contexts', {
            from: integer(offset + 1),
            to: integer(Math.min(offset + PAGE, n_contexts)),
            total: integer(n_contexts)
          })}
          previous={t('preview.previous')}
          next={t('preview.next')}
          onPrevious={offset > 0 ? () => onTurn(Math.max(0, offset - PAGE)) : null}
          onNext={offset + PAGE < n_contexts ? () => onTurn(offset + PAGE) : null}
        />
      )}
      {contexts.length > 0 && <p class="jp-mistudio-hint">{t('preview.legend')}</p>}
    </>
  );
}
