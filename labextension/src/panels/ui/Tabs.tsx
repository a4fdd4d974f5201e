import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import { useUid } from './hooks';
import { Icon } from './Icon';
import type { IconName } from './Icon';

export interface Tab {
  id: string;
  label: string;
  /** Stands for the label where there is no room for all of them. */
  icon: IconName;
  /** A small count beside the label, e.g. of running jobs. */
  badge?: string;
  badgeLabel?: string;
}

interface Props {
  label: string;
  tabs: readonly Tab[];
  selected: string;
  onSelect: (id: string) => void;
  children: ComponentChildren;
}

/** Tabs by the ARIA pattern: arrow keys, Home and End move; the panel follows. */
export function Tabs({ label, tabs, selected, onSelect, children }: Props) {
  const uid = useUid('tabs');
  const list = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent): void => {
    const at = tabs.findIndex(tab => tab.id === selected);
    const to = {
      ArrowLeft: at - 1,
      ArrowRight: at + 1,
      Home: 0,
      End: tabs.length - 1
    }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      event.stopPropagation();
      const index = (to + tabs.length) % tabs.length;
      onSelect(tabs[index]?.id ?? selected);
      list.current?.querySelectorAll<HTMLElement>('[role=tab]')[index]?.focus();
    }
  };
  return (
    <>
      <div class="jp-mistudio-tabs" role="tablist" aria-label={label} ref={list} onKeyDown={move}>
        {tabs.map(tab => (
          <button
            key={tab.id}
            type="button"
            role="tab"
            id={`${uid}-${tab.id}`}
            data-testid={`mistudio-tab-${tab.id}`}
            aria-selected={tab.id === selected}
            aria-controls={`${uid}-panel`}
            tabIndex={tab.id === selected ? 0 : -1}
            title={tab.label}
            onClick={() => onSelect(tab.id)}
          >
            <Icon name={tab.icon} />
            <span class="jp-mistudio-tab-label">{tab.label}</span>
            {tab.badge && (
              <>
                {' '}
                <span class="jp-mistudio-badge" aria-hidden="true">
                  {tab.badge}
                </span>
                <span class="jp-mistudio-hidden">{tab.badgeLabel}</span>
              </>
            )}
          </button>
        ))}
      </div>
      <div
        // Anew for each tab, so that none begins where another was scrolled to.
        key={selected}
        class="jp-mistudio-tabpanel"
        role="tabpanel"
        id={`${uid}-panel`}
        aria-labelledby={`${uid}-${selected}`}
      >
        {children}
      </div>
    </>
  );
}
