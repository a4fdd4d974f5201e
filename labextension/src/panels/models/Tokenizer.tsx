import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { integer } from '../lib/format';
import { t } from '../messages';
import type { Model } from '../types';
import { ErrorNote } from '../ui/ErrorNote';
import { Facts } from '../ui/Facts';
import { Field } from '../ui/Field';
import { useFetch } from '../ui/hooks';
import { Subtitle } from '../ui/Section';
import { TokenChips } from '../ui/TokenChips';
import type { TokenChip } from '../ui/TokenChips';
import { useDebounced } from '../ui/useDebounced';

/** Libraries write "no limit" as a huge number. */
const NO_LIMIT = 1e9;

interface Preview {
  contexts: { tokens: TokenChip[] }[];
  n_tokens: number;
}

/** What a model's tokenizer is like, and a box to try it. */
export function Tokenizer({ model }: { model: Model }) {
  const { store } = usePanel();
  const { value, error, reload } = useFetch(model.id, signal =>
    store.api.tokenizer(model.id, signal)
  );
  if (error) {
    return <ErrorNote error={error} onRetry={reload} />;
  }
  if (!value) {
    return (
      <div class="jp-mistudio-loading" role="status">
        {t('list.loading')}
      </div>
    );
  }
  const limit = value.model_max_length;
  return (
    <div class="jp-mistudio-tokenizer">
      <Facts
        label={t('tokenizer.title')}
        facts={[
          [t('tokenizer.class'), value.class],
          [t('tokenizer.size'), integer(value.vocab_size)],
          [t('tokenizer.limit'), limit !== null && limit < NO_LIMIT ? integer(limit) : '–']
        ]}
      />
      <Subtitle>{t('tokenizer.special')}</Subtitle>
      <ul class="jp-mistudio-tokenchips">
        {value.special_tokens.map(token => (
          <li key={token.id} class="jp-mistudio-mod-special">
            {token.text}
            <span class="jp-mistudio-hint">
              {' '}
              {[token.id, token.role].filter(Boolean).join(' ')}
            </span>
          </li>
        ))}
      </ul>
      <Subtitle>{t('tokenizer.template')}</Subtitle>
      {value.chat_template ? (
        <pre class="jp-mistudio-code" tabIndex={0}>
          {value.chat_template}
        </pre>
      ) : (
        <p class="jp-mistudio-hint">{t('tokenizer.template.none')}</p>
      )}
      <TryIt model={model} />
    </div>
  );
}

function TryIt({ model }: { model: Model }) {
  const { store } = usePanel();
  const [text, setText] = useState('');
  const settled = useDebounced(text, 200);
  const { value, error } = useFetch(settled === '' ? null : settled, signal =>
    store.api.request<Preview>('POST', 'tokenize-preview', {
      body: { model: model.id, texts: [settled], mode: 'chunk' },
      signal
    })
  );
  const tokens = value?.contexts.flatMap(each => each.tokens) ?? [];
  return (
    <>
      <Field label={t('tokenizer.try')} error={error?.message}>
        {({ id, describedBy, invalid }) => (
          <textarea
            id={id}
            class="jp-mistudio-input"
            rows={3}
            value={text}
            placeholder={t('tokenizer.try.placeholder')}
            spellcheck={false}
            aria-describedby={describedBy}
            aria-invalid={invalid || undefined}
            onInput={event => setText(event.currentTarget.value)}
          />
        )}
      </Field>
      {settled !== '' && !error && value && (
        <>
          <div class="jp-mistudio-hint" role="status">
            {t('tokenizer.try.count', { tokens: value.n_tokens, chars: [...settled].length })}
          </div>
          <TokenChips tokens={tokens} />
        </>
      )}
    </>
  );
}
