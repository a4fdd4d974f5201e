import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import { usePanel } from '../context';
import { t } from '../messages';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';

/** Name in the notebook; the same everywhere, so that examples can be copied. */
const VARIABLE = 'acts';

/** How long to wait for the host's answer before saying only that it was sent. */
const PATIENCE_MS = 6_000;

type State =
  | { kind: 'idle' }
  | { kind: 'waiting' }
  | { kind: 'sent' }
  | { kind: 'opened'; variable: string }
  | { kind: 'failed'; message: string; hint: string | null };

interface Props {
  extraction: { id: string; name: string };
  primary?: boolean;
  /** Only an icon, for a row of a list. */
  compact?: boolean;
  /** It was asked for before the extraction was there: send without a press. */
  atOnce?: boolean;
  /** It was sent; whoever set `atOnce` takes it back, so that it is not sent again. */
  onSent?: () => void;
}

/** Gives the notebook's kernel the handle; works while the extraction still runs. */
export function SendToKernel({ extraction, primary, compact, atOnce, onSent }: Props) {
  const { host } = usePanel();
  const [state, setState] = useState<State>({ kind: 'idle' });
  useEffect(() => {
    if (state.kind !== 'waiting') {
      return;
    }
    const timer = setTimeout(() => setState({ kind: 'sent' }), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [state.kind]);
  // Before the button can be pressed: an answer must not come before anyone listens.
  useLayoutEffect(
    () =>
      host.onMessage(content => {
        if (
          content['type'] !== 'opened-in-kernel' ||
          (content['extraction'] !== undefined && content['extraction'] !== extraction.id)
        ) {
          return;
        }
        setState(before =>
          before.kind === 'idle' && content['extraction'] === undefined ? before : answer(content)
        );
      }),
    [host, extraction.id]
  );
  const send = (): void => {
    setState({ kind: 'waiting' });
    host.send({
      type: 'open-in-kernel',
      extraction: extraction.id,
      name: extraction.name,
      variable: VARIABLE
    });
  };
  useEffect(() => {
    if (atOnce) {
      send();
      onSent?.();
    }
  }, [atOnce, extraction.id]);
  return (
    <>
      {compact ? (
        <Button
          kind="quiet"
          icon={state.kind === 'opened' ? 'check' : 'kernel'}
          label={t('action.sendNamed', { name: extraction.name })}
          onClick={send}
        />
      ) : (
        <Button kind={primary ? 'primary' : 'normal'} icon="kernel" onClick={send}>
          {t('action.sendToKernel')}
        </Button>
      )}
      <span class={compact ? 'jp-mistudio-hidden' : 'jp-mistudio-hint'} role="status">
        {state.kind === 'waiting' && t('kernel.waiting')}
        {state.kind === 'sent' && t('kernel.sent', { variable: VARIABLE })}
        {state.kind === 'opened' && t('kernel.opened', { variable: state.variable })}
      </span>
      {state.kind === 'failed' && (
        <ErrorNote error={state} onDismiss={() => setState({ kind: 'idle' })} />
      )}
    </>
  );
}

function answer(content: Record<string, unknown>): State {
  const error = content['error'];
  if (error) {
    const problem = (typeof error === 'object' ? error : { message: error }) as {
      message?: unknown;
      hint?: unknown;
    };
    return {
      kind: 'failed',
      message: typeof problem.message === 'string' ? problem.message : t('kernel.failed'),
      hint: typeof problem.hint === 'string' ? problem.hint : null
    };
  }
  const variable = content['variable'];
  return { kind: 'opened', variable: typeof variable === 'string' ? variable : VARIABLE };
}
