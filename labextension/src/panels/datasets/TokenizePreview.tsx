import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { integer } from '../lib/format';
import { count, t } from '../messages';
import { ErrorNote } from '../ui/ErrorNote';
import { Field } from '../ui/Field';
import { useFetch } from '../ui/hooks';
import { TokenChips } from '../ui/TokenChips';
import { useDebounced } from '../ui/useDebounced';
import { preview } from './rest';
import type { TokenizeSettings } from './types';

/** Short, so that the chips follow the keys. */
const PAUSE_MS = 80;
const CONTEXTS = 4;

interface Props {
  dataset: string;
  split: string;
  settings: TokenizeSettings | null;
}

/** What the settings make of a text: the dataset's first sample, or whatever is typed. */
export function TokenizePreview({ dataset, split, settings }: Props) {
  const { store } = usePanel();
  const [typed, setTyped] = useState<string | null>(null);
  const first = useFetch(`${dataset} ${split}`, signal =>
    store.api.samples(dataset, { split, offset: 0, limit: 1 }, signal)
  );
  const text = typed ?? first.value?.samples[0]?.text ?? '';
  const wanted = settings && text !== '' ? JSON.stringify([settings, text]) : null;
  const asked = useDebounced(wanted, PAUSE_MS);
  const shown = useFetch(asked, signal => {
    const [now, what] = JSON.parse(asked ?? '') as [TokenizeSettings, string];
    return preview(store.api, now, [what], signal);
  });
  const value = shown.error ? null : shown.value;
  const skipped = value ? Object.entries(value.skipped).filter(([, n]) => n > 0) : [];
  return (
    <div class="jp-mistudio-preview" data-testid="mistudio-tokenize-preview">
      <Field label={t('preview.text')} hint={t('preview.text.hint')}>
        {({ id, describedBy }) => (
          <textarea
            id={id}
            class="jp-mistudio-input"
            rows={3}
            value={text}
            aria-describedby={describedBy}
            spellcheck={false}
            onInput={event => setTyped(event.currentTarget.value)}
          />
        )}
      </Field>
      {shown.error && <ErrorNote error={shown.error} />}
      {value && (
        <>
          <div class="jp-mistudio-hint" role="status">
            {`${count(value.n_tokens, 'token', integer(value.n_tokens))}, ${count(value.n_contexts, 'context')}`}
            {skipped.length > 0 && ` · ${t('preview.skipped')}`}
          </div>
          {value.contexts.slice(0, CONTEXTS).map((context, index) => (
            <div key={index} class="jp-mistudio-context">
              {value.n_contexts > 1 && (
                <div class="jp-mistudio-sample-index">{t('preview.context', { n: index + 1 })}</div>
              )}
              <TokenChips tokens={context.tokens} />
            </div>
          ))}
        </>
      )}
    </div>
  );
}
