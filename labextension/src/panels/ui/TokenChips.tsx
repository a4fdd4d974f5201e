import { useState } from 'preact/hooks';
import { t } from '../messages';
import { Button } from './Button';

/** One token: its id, and its text as the tokenizer decodes it alone. */
export interface TokenChip {
  id: number;
  text: string;
  special?: boolean;
}

/** So many elements are drawn at once without a pause; the others come when they are asked for. */
const STEP = 1000;

/** White space that would be invisible, or break the line, drawn as a sign. */
export function visible(text: string): string {
  return text.replace(/ /g, '·').replace(/\n/g, '⏎').replace(/\t/g, '⇥').replace(/\r/g, '␍');
}

interface Props {
  tokens: readonly TokenChip[];
  /** Ids beside the texts; they are in the tooltips in any case. */
  ids?: boolean;
}

/** A text as its tokens, one chip each. */
export function TokenChips({ tokens, ids }: Props) {
  const [most, setMost] = useState(STEP);
  const hidden = tokens.length - most;
  return (
    <>
      <ol class="jp-mistudio-tokenchips" aria-label={t('chips.label', { n: tokens.length })}>
        {tokens.slice(0, most).map((token, index) => (
          <Chip key={index} token={token} ids={ids} />
        ))}
      </ol>
      {hidden > 0 && (
        <Button kind="quiet" onClick={() => setMost(most + STEP)}>
          {t('chips.more', { n: hidden })}
        </Button>
      )}
    </>
  );
}

function Chip({ token, ids }: { token: TokenChip; ids?: boolean }) {
  const facts = [t('chips.token', { id: token.id })];
  if (token.special) {
    facts.push(t('chips.special'));
  }
  return (
    <li class={token.special ? 'jp-mistudio-mod-special' : undefined} title={facts.join(', ')}>
      {token.text === '' ? '∅' : visible(token.text)}
      {ids && <span class="jp-mistudio-tokenchips-id">{token.id}</span>}
      {token.special && <span class="jp-mistudio-hidden">, {t('chips.special')}</span>}
    </li>
  );
}
