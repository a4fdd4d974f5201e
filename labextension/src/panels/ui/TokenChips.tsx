import { t } from '../messages';

/** One token: its id, and its text as the tokenizer decodes it alone. */
export interface TokenChip {
  id: number;
  text: string;
  special?: boolean;
}

/** A thousand elements are drawn at once without a pause; a page shows no more anyway. */
const SHOWN = 1000;

/** White space that would be invisible, or break the line, drawn as a sign. */
export function visible(text: string): string {
  return text.replace(/ /g, '·').replace(/\n/g, '⏎').replace(/\t/g, '⇥').replace(/\r/g, '␍');
}

/** A text as its tokens, one chip each; a chip's tooltip gives its id. */
export function TokenChips({ tokens }: { tokens: readonly TokenChip[] }) {
  const hidden = tokens.length - SHOWN;
  return (
    <ol class="jp-mistudio-tokenchips" aria-label={t('chips.label', { n: tokens.length })}>
      {tokens.slice(0, SHOWN).map((token, index) => {
        const facts = [t('chips.token', { id: token.id })];
        if (token.special) {
          facts.push(t('chips.special'));
        }
        return (
          <li
            key={index}
            class={token.special ? 'jp-mistudio-mod-special' : undefined}
            title={facts.join(', ')}
          >
            {token.text === '' ? '∅' : visible(token.text)}
          </li>
        );
      })}
      {hidden > 0 && <li class="jp-mistudio-mod-more">{t('chips.more', { n: hidden })}</li>}
    </ol>
  );
}
