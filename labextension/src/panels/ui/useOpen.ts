import { useRef } from 'preact/hooks';
import type { Host } from '../afm';

interface Open {
  /** What is open: an id or, from Python, a name. */
  wanted: unknown;
  open: (id: string) => void;
  back: () => void;
  /** The detail was opened by hand here: the focus goes with it. */
  takesFocus: boolean;
  /** The record whose detail was just closed: its row gets the focus back. */
  returned: string | null;
}

/** Master and detail in one place: what is open lives in the selection, the focus follows. */
export function useOpen(host: Host, key: string, given: unknown): Open {
  const opened = useRef<string | null>(null);
  const returned = useRef<string | null>(null);
  const selection = host.selection.value;
  const wanted = key in selection ? selection[key] : given;
  return {
    wanted,
    open(id) {
      opened.current = id;
      returned.current = null;
      host.select({ [key]: id });
    },
    back() {
      returned.current = typeof wanted === 'string' ? wanted : null;
      opened.current = null;
      host.select({ [key]: null });
    },
    takesFocus: opened.current !== null && opened.current === wanted,
    returned: returned.current
  };
}
