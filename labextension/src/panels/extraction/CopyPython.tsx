import { useEffect, useState } from 'preact/hooks';
import { t } from '../messages';
import { Button } from '../ui/Button';
import { copyText } from '../ui/hooks';

/** The same choice as code. Where the clipboard is closed the code is shown instead. */
export function CopyPython({ code }: { code: string | null }) {
  const [state, setState] = useState<'idle' | 'copied' | 'shown'>('idle');
  useEffect(() => setState('idle'), [code]);
  return (
    <>
      <Button
        icon={state === 'copied' ? 'check' : 'copy'}
        disabled={code === null}
        onClick={() => {
          if (code !== null) {
            void copyText(code).then(done => setState(done ? 'copied' : 'shown'));
          }
        }}
      >
        {t('extract.copyPython')}
      </Button>
      <span class={state === 'shown' ? 'jp-mistudio-hint' : 'jp-mistudio-hidden'} role="status">
        {state === 'copied' && t('action.copied')}
        {state === 'shown' && t('extract.copyFailed')}
      </span>
      {state === 'shown' && (
        <pre class="jp-mistudio-code" tabIndex={0}>
          {code}
        </pre>
      )}
    </>
  );
}
