import type { ComponentChildren } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import { Icon } from './Icon';

export interface TreeItem {
  id: string;
  children: TreeItem[];
  row: ComponentChildren;
}

interface Shown {
  item: TreeItem;
  level: number;
  parent: string | null;
  position: number;
  siblings: number;
}

function flatten(items: TreeItem[], open: ReadonlySet<string>): Shown[] {
  const rows: Shown[] = [];
  const visit = (list: TreeItem[], level: number, parent: string | null): void => {
    list.forEach((item, index) => {
      rows.push({ item, level, parent, position: index + 1, siblings: list.length });
      if (open.has(item.id)) {
        visit(item.children, level + 1, item.id);
      }
    });
  };
  visit(items, 1, null);
  return rows;
}

function withChildren(items: readonly TreeItem[]): string[] {
  return items.flatMap(item =>
    item.children.length > 0 ? [item.id, ...withChildren(item.children)] : []
  );
}

interface Props {
  items: TreeItem[];
  label: string;
  /** Begin with every branch open. */
  allOpen?: boolean;
}

/** A tree by the ARIA pattern: one stop for Tab, arrows move, open and close. */
export function Tree({ items, label, allOpen = false }: Props) {
  const [open, setOpen] = useState<ReadonlySet<string>>(
    () =>
      new Set(allOpen ? withChildren(items) : items.length === 1 ? items.map(each => each.id) : [])
  );
  const [focused, setFocused] = useState<string | null>(null);
  const root = useRef<HTMLDivElement>(null);
  const rows = useMemo(() => flatten(items, open), [items, open]);
  const current = rows.some(row => row.item.id === focused) ? focused : rows[0]?.item.id;

  const toggle = (id: string, to: boolean): void => {
    const next = new Set(open);
    if (to) {
      next.add(id);
    } else {
      next.delete(id);
    }
    setOpen(next);
  };
  const focus = (id: string | undefined): void => {
    if (id !== undefined) {
      setFocused(id);
      root.current?.querySelector<HTMLElement>(`[data-id="${CSS.escape(id)}"]`)?.focus();
    }
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = rows.findIndex(row => row.item.id === current);
    const row = rows[at];
    if (!row) {
      return;
    }
    const expandable = row.item.children.length > 0;
    const isOpen = open.has(row.item.id);
    switch (event.key) {
      case 'ArrowDown':
        focus(rows[at + 1]?.item.id);
        break;
      case 'ArrowUp':
        focus(rows[at - 1]?.item.id);
        break;
      case 'Home':
        focus(rows[0]?.item.id);
        break;
      case 'End':
        focus(rows[rows.length - 1]?.item.id);
        break;
      case 'ArrowRight':
        if (expandable && !isOpen) {
          toggle(row.item.id, true);
        } else if (expandable) {
          focus(rows[at + 1]?.item.id);
        }
        break;
      case 'ArrowLeft':
        if (isOpen) {
          toggle(row.item.id, false);
        } else {
          focus(row.parent ?? undefined);
        }
        break;
      case 'Enter':
      case ' ':
        if (expandable) {
          toggle(row.item.id, !isOpen);
        }
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div class="jp-mistudio-tree" role="tree" aria-label={label} ref={root} onKeyDown={onKeyDown}>
      {rows.map(({ item, level, position, siblings }) => {
        const expandable = item.children.length > 0;
        return (
          <div
            key={item.id}
            data-id={item.id}
            role="treeitem"
            aria-level={level}
            aria-posinset={position}
            aria-setsize={siblings}
            aria-expanded={expandable ? open.has(item.id) : undefined}
            tabIndex={item.id === current ? 0 : -1}
            style={{ paddingLeft: `${(level - 1) * 12}px` }}
            onClick={() => {
              setFocused(item.id);
              if (expandable) {
                toggle(item.id, !open.has(item.id));
              }
            }}
          >
            <span class="jp-mistudio-tree-toggle">{expandable && <Icon name="chevron" />}</span>
            {item.row}
          </div>
        );
      })}
    </div>
  );
}
