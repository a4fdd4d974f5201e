import { useEffect, useRef } from 'preact/hooks';
import { usePanel } from '../context';
import { t } from '../messages';
import type { Job } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { copyText, useFetch } from '../ui/hooks';

const REFRESH_MS = 2_000;

/** The end of a job's log; follows it while the job runs. */
export function LogView({ job, name }: { job: Job; name: string }) {
  const { store } = usePanel();
  // The state is part of the key: the last lines are written when the job ends.
  const log = useFetch(`${job.id}/${job.state}`, signal => store.api.log(job.id, signal));
  const box = useRef<HTMLPreElement>(null);
  const follow = useRef(true);
  const running = job.state === 'running';
  useEffect(() => {
    if (!running) {
      return;
    }
    const timer = setInterval(log.reload, REFRESH_MS);
    return () => clearInterval(timer);
  }, [running, log.reload]);
  const text = log.value?.text ?? '';
  useEffect(() => {
    if (box.current && follow.current) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [text]);
  return (
    <div class="jp-mistudio-log">
      {log.error && <ErrorNote error={log.error} onRetry={log.reload} />}
      {log.value?.truncated && <p class="jp-mistudio-hint">{t('jobs.log.truncated')}</p>}
      {log.value && (
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
