import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { t } from '../messages';
import { Button } from './Button';

interface Picking<T> {
  /** Begins and ends choosing; null where there is nothing to choose between. */
  button: ComponentChildren;
  /** What is chosen; null while nobody chooses. */
  chosen: readonly T[] | null;
  choose: (ids: string[]) => void;
  /** What a list of records needs for its checkboxes. */
  pick: { chosen: ReadonlySet<string>; onToggle: (id: string) => void } | undefined;
}

/** Choosing several records of a list. */
export function usePick<T extends { id: string }>(records: readonly T[]): Picking<T> {
  const [ids, setIds] = useState<ReadonlySet<string> | null>(null);
  const toggle = (id: string): void => {
    const next = new Set(ids);
    if (!next.delete(id)) {
      next.add(id);
    }
    setIds(next);
  };
  return {
    button: records.length > 1 && (
      <Button pressed={ids !== null} onClick={() => setIds(ids === null ? new Set() : null)}>
        {t(ids === null ? 'many.select' : 'many.done')}
      </Button>
    ),
    chosen: ids && records.filter(each => ids.has(each.id)),
    choose: chosen => setIds(new Set(chosen)),
    pick: ids === null ? undefined : { chosen: ids, onToggle: toggle }
  };
}
