import { useEffect, useRef, useState } from 'preact/hooks';
import { usePanel } from '../context';
import { compact } from '../lib/format';
import { isRepoId } from '../lib/repos';
import { t } from '../messages';
import type { HubKind, HubResult } from '../types';
import { ErrorNote } from './ErrorNote';
import { Field } from './Field';
import { useFetch, useUid } from './hooks';
import { useDebounced } from './useDebounced';

/** Long enough that a word is not searched letter by letter, short enough to feel immediate. */
const PAUSE_MS = 250;

interface Props {
  kind: HubKind;
  /** What is typed. */
  value: string;
  onChange: (value: string) => void;
  /** A repository was chosen: from the list, or typed whole and confirmed with Enter. */
  onPick: (repoId: string) => void;
  /** The Hub's token, for repositories that only its owner sees. */
  token?: string;
  /** What the server says about the repository. */
  error?: string | null;
}

/** Search-as-you-type over the Hub's repositories: a combobox by the ARIA pattern. */
export function HubSearch({ kind, value, onChange, onPick, token, error }: Props) {
  const { store } = usePanel();
  const list = useUid('hub');
  const [open, setOpen] = useState(false);
  // By name, not by place: the list may be fetched anew between an arrow and Enter.
  const [pointed, setPointed] = useState<string | null>(null);
  const picked = useRef('');
  const query = useDebounced(value.trim(), PAUSE_MS);
  const asked = open && query !== '';
  const search = useFetch(asked ? `${kind} ${query} ${token ?? ''}` : null, signal =>
    store.api.hubSearch(kind, query, token, signal)
  );
  // What was found last stays in the list until the next answer, so that arrows always have it.
  const results = asked && !search.error ? (search.value ?? []) : [];
  const at = results.findIndex(result => result.repo_id === pointed);

  const pick = (repoId: string): void => {
    onChange(repoId);
    setOpen(false);
    setPointed(null);
    picked.current = repoId;
    onPick(repoId);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.isComposing) {
      return;
    }
    const last = results.length - 1;
    const steps: Record<string, number> = {
      ArrowDown: at >= last ? 0 : at + 1,
      ArrowUp: at <= 0 ? last : at - 1
    };
    const step = steps[event.key];
    if (step !== undefined) {
      event.preventDefault();
      setOpen(true);
      setPointed(results[Math.min(step, last)]?.repo_id ?? null);
    } else if (event.key === 'Escape' && open) {
      event.stopPropagation();
      setOpen(false);
    } else if (event.key === 'Enter') {
      const chosen = results[at]?.repo_id ?? value.trim();
      if (isRepoId(chosen)) {
        pick(chosen);
      }
    }
  };

  const expanded = results.length > 0;
  return (
    <div class="jp-mistudio-hubsearch">
      <Field label={t('hubSearch.label')} error={error}>
        {({ id, describedBy, invalid }) => (
          <input
            id={id}
            class="jp-mistudio-input"
            type="text"
            role="combobox"
            value={value}
            placeholder={t(`hubSearch.placeholder.${kind}`)}
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            aria-autocomplete="list"
            aria-expanded={expanded}
            aria-controls={list}
            aria-activedescendant={at >= 0 && expanded ? `${list}-${at}` : undefined}
            aria-describedby={describedBy}
            aria-invalid={invalid || undefined}
            onInput={event => {
              onChange(event.currentTarget.value);
              setPointed(null);
              setOpen(true);
            }}
            onKeyDown={onKeyDown}
            onFocus={() => setOpen(value !== picked.current)}
            onBlur={() => setOpen(false)}
          />
        )}
      </Field>
      <div class="jp-mistudio-hint" role="status">
        {said(
          asked,
          search.loading || query !== value.trim(),
          results.length,
          query,
          search.error !== null
        )}
      </div>
      {search.error && <ErrorNote error={search.error} onRetry={search.reload} />}
      <ul
        class="jp-mistudio-hubresults"
        role="listbox"
        id={list}
        aria-label={t('hubSearch.label')}
        hidden={!expanded}
        // The list must not take the focus from the field that commands it.
        onMouseDown={event => event.preventDefault()}
      >
        {results.map((result, index) => (
          <Result
            key={result.repo_id}
            id={`${list}-${index}`}
            result={result}
            selected={index === at}
            onPick={() => pick(result.repo_id)}
          />
        ))}
      </ul>
    </div>
  );
}

function said(
  asked: boolean,
  searching: boolean,
  found: number,
  query: string,
  failed: boolean
): string {
  if (!asked || failed) {
    return '';
  }
  if (searching) {
    return t('hubSearch.searching');
  }
  if (found === 0) {
    return t('hubSearch.none', { query });
  }
  return t(found === 1 ? 'hubSearch.found.one' : 'hubSearch.found.other', { n: found });
}

interface ResultProps {
  id: string;
  result: HubResult;
  selected: boolean;
  onPick: () => void;
}

function Result({ id, result, selected, onPick }: ResultProps) {
  const row = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (selected) {
      row.current?.scrollIntoView({ block: 'nearest' });
    }
  }, [selected]);
  const facts = [
    result.downloads ? t('hubSearch.downloads', { n: compact(result.downloads) }) : '',
    result.likes ? t('hubSearch.likes', { n: compact(result.likes) }) : '',
    result.gated ? t('hubSearch.gated') : '',
    result.private ? t('hubSearch.private') : ''
  ].filter(Boolean);
  return (
    <li ref={row} id={id} role="option" aria-selected={selected} onClick={onPick}>
      <span class="jp-mistudio-hubname">{result.repo_id}</span>
      <span class="jp-mistudio-hint">{facts.join(' · ')}</span>
    </li>
  );
}
