import type { ComponentChildren } from 'preact';
import { t } from '../messages';
import { Button } from './Button';
import { Icon } from './Icon';

interface Problem {
  message: string;
  hint?: string | null;
}

interface Props {
  error: Problem;
  onRetry?: () => void;
  onDismiss?: () => void;
  children?: ComponentChildren;
}

/** What went wrong and what to do about it, read out when it appears. */
export function ErrorNote({ error, onRetry, onDismiss, children }: Props) {
  return (
    <div class="jp-mistudio-note jp-mistudio-mod-error" role="alert">
      <Icon name="alert" />
      <div class="jp-mistudio-note-text">
        <div class="jp-mistudio-note-message">{error.message}</div>
        {error.hint && <div class="jp-mistudio-hint">{error.hint}</div>}
        {(onRetry || onDismiss || children) && (
          <div class="jp-mistudio-actions">
            {onRetry && <Button onClick={onRetry}>{t('action.reload')}</Button>}
            {children}
            {onDismiss && (
              <Button kind="quiet" onClick={onDismiss}>
                {t('action.dismiss')}
              </Button>
            )}
          </div>
        )}
      </div>
    </div>
  );
}

/** Something to know before going on. */
export function WarningNote({ message }: { message: string }) {
  return (
    <div class="jp-mistudio-note jp-mistudio-mod-warning">
      <Icon name="alert" />
      <div class="jp-mistudio-note-text">{message}</div>
    </div>
  );
}
