import { useEffect, useRef, useState } from 'preact/hooks';
import { isAbort, toApiError } from '../api';
import type { ApiError } from '../api';
import type { Detection, FileOptions } from './types';

/** Time to finish typing, in ms. */
const PAUSE_MS = 350;

/** What of the options decides which columns there are. */
const READING = ['encoding', 'delimiter', 'header', 'quoting', 'types'] as const;

export type Reading = Partial<Pick<FileOptions, (typeof READING)[number]>>;

/** What a person may correct before a file is imported. */
export interface FileChoice {
  column: string;
  options: FileOptions;
}

export interface Detected {
  detection: Detection;
  choice: FileChoice;
  /** What was corrected cannot be; nothing may be imported like that. */
  error: ApiError | null;
  /** What was corrected is being looked at. */
  busy: boolean;
  choose: (column: string) => void;
  set: (options: Partial<FileOptions>) => void;
}

interface State {
  of: Detection;
  detection: Detection;
  choice: FileChoice;
  /** What a person said of how the file is to be read. */
  said: Reading;
  error: ApiError | null;
  busy: boolean;
}

/**
 * What a file was found to be, and what a person makes of it. Where the way to read it is
 * corrected it is looked at again: other columns are there, and maybe another text column.
 *
 * @param found - What was found without help; null as long as nothing is.
 * @param look - Looks at the file with some of the options given.
 */
export function useDetected(
  found: Detection | null,
  look: (given: Reading, signal: AbortSignal) => Promise<Detection>
): Detected | null {
  const [state, setState] = useState<State | null>(null);
  const running = useRef<{ stop: () => void } | null>(null);
  useEffect(() => () => running.current?.stop(), [found]);
  if (!found) {
    return null;
  }
  const now: State =
    state?.of === found
      ? state
      : {
          of: found,
          detection: found,
          choice: chosenFrom(found),
          said: {},
          error: null,
          busy: false
        };

  const again = (said: Reading): void => {
    running.current?.stop();
    const controller = new AbortController();
    const settle = (change: (before: State) => Partial<State>): void => {
      if (!controller.signal.aborted) {
        setState(before =>
          before?.of === found ? { ...before, busy: false, ...change(before) } : before
        );
      }
    };
    const timer = setTimeout(() => {
      look(said, controller.signal).then(
        detection =>
          settle(({ choice }) => ({ detection, error: null, choice: merged(detection, choice) })),
        (error: unknown) => !isAbort(error) && settle(() => ({ error: toApiError(error) }))
      );
    }, PAUSE_MS);
    running.current = {
      stop: () => {
        clearTimeout(timer);
        controller.abort();
      }
    };
  };
  return {
    ...now,
    choose: column => setState({ ...now, choice: { ...now.choice, column } }),
    set: options => {
      const choice = { ...now.choice, options: { ...now.choice.options, ...options } };
      const keys = READING.filter(key => key in options);
      const said: Reading = {
        ...now.said,
        ...Object.fromEntries(keys.map(key => [key, options[key]]))
      };
      if (keys.length > 0 && !('types' in options)) {
        // Read in another way there may be other columns.
        delete said.types;
        delete choice.options.types;
      }
      setState({ ...now, choice, said, busy: now.busy || keys.length > 0 });
      if (keys.length > 0) {
        again(said);
      }
    }
  };
}

function chosenFrom(detection: Detection): FileChoice {
  return {
    column: detection.text_column ?? '',
    options: { ...detection.options, bad_rows: 'stop' }
  };
}

/** The new columns, with the text column that was chosen, where it is still there. */
function merged(detection: Detection, { column, options }: FileChoice): FileChoice {
  const there = detection.columns.some(each => each.name === column);
  return {
    column: there ? column : (detection.text_column ?? ''),
    options: { ...detection.options, bad_rows: options.bad_rows }
  };
}
