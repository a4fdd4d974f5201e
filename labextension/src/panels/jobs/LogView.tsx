import { useEffect, useRef } from 'preact/hooks';
import { t } from '../messages';
import type { Job } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { copyText } from '../ui/hooks';
import { useLog } from './useLog';

/** The end of a job's log; follows it while the job runs. */
export function LogView({ job, name }: { job: Job; name: string }) {
  const log = useLog(job);
  const box = useRef<HTMLPreElement>(null);
  const follow = useRef(true);
  const text = log.text ?? '';
  useEffect(() => {
    if (box.current && follow.current) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [text]);
  return (
    <div class="jp-mistudio-log">
      {log.error && <ErrorNote error={log.error} onRetry={log.reload} />}
      {log.truncated && <p class="jp-mistudio-hint">{t('jobs.log.truncated')}</p>}
      {log.text !== null && (
        <pre
          class="jp-mistudio-code"
          ref={box}
          tabIndex={0}
          role="log"
          aria-live="off"
          aria-label={t('jobs.logOf', { name })}
          onScroll={event => {
            const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
            follow.current = scrollTop + clientHeight >= scrollHeight - 8;
          }}
        >
          {text || t('jobs.log.empty')}
        </pre>
      )}
      {text && (
        <Button kind="quiet" icon="copy" onClick={() => void copyText(text)}>
          {t('action.copy')}
        </Button>
      )}
    </div>
  );
}
