import type { ApiError } from '../api';
import { t } from '../messages';
import { Button } from './Button';
import { ErrorNote } from './ErrorNote';
import { useAction } from './hooks';

interface Submit {
  submit: () => void;
  busy: boolean;
  /** What is wrong with one of these fields, to stand at its control. */
  errorAt: (...fields: string[]) => string | null;
  /** What went wrong and belongs to no control. */
  elsewhere: ApiError | null;
}

/**
 * Sends a form.
 *
 * @param fields names, as the server has them, of the fields whose errors stand at their controls
 */
export function useSubmit(send: () => Promise<unknown>, fields: readonly string[]): Submit {
  const { run, busy, error } = useAction(send);
  const field = error?.field ?? '';
  return {
    submit: () => void run(),
    busy,
    errorAt: (...asked) =>
      error && asked.includes(field) ? [error.message, error.hint].filter(Boolean).join(' ') : null,
    elsewhere: fields.includes(field) ? null : error
  };
}

interface Props {
  form: Submit;
  action: string;
  /** Something that is needed is not there yet. */
  disabled?: boolean;
  onClose?: () => void;
}

/** The end of a form: what went wrong, the button that sends it, the way out. */
export function FormEnd({ form, action, disabled, onClose }: Props) {
  return (
    <>
      {form.elsewhere && <ErrorNote error={form.elsewhere} />}
      <div class="jp-mistudio-actions">
        <Button kind="primary" busy={form.busy} disabled={disabled} onClick={form.submit}>
          {action}
        </Button>
        {onClose && <Button onClick={onClose}>{t('action.close')}</Button>}
      </div>
    </>
  );
}
