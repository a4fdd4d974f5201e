/** What every component of a panel can reach. */

import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Host } from './afm';
import type { Store } from './store';

export interface Panel {
  host: Host;
  store: Store;
}

export const PanelContext = createContext<Panel | null>(null);

export function usePanel(): Panel {
  const panel = useContext(PanelContext);
  if (!panel) {
    throw new Error('A panel component was rendered outside of a panel.');
  }
  return panel;
}
