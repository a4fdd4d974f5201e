import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { t } from '../messages';
import type { Job, Mended, Remedy } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { TextField } from '../ui/Field';
import { useAction } from '../ui/hooks';

interface Props {
  job: Job | undefined;
  /** Whose job it is, where several such buttons are on the screen. */
  name?: string;
}

/** What would mend a failed job: buttons, fields for what is asked, and what only a person can do. */
export function Remedies({ job, name }: Props) {
  const { store } = usePanel();
  const [pressed, setPressed] = useState<Remedy | null>(null);
  const retry = useAction((mended: Mended) => store.retry(job?.id ?? '', mended));
  const remedies = job?.state === 'failed' ? (job.error?.remedies ?? []) : [];
  if (remedies.length === 0) {
    return null;
  }
  const start = (remedy: Remedy, mended: Mended): void => {
    setPressed(remedy);
    void retry.run(mended);
  };
  const stateOf = (remedy: Remedy): ButtonState => ({
    busy: retry.busy && pressed?.label === remedy.label,
    disabled: retry.busy && pressed?.label !== remedy.label,
    label: name ? `${remedy.label} ${name}` : undefined
  });
  const error = retry.error && pressed;
  return (
    <div class="jp-mistudio-remedies">
      {remedies.filter(isForPeople).map(remedy => (
        <p key={remedy.label} class="jp-mistudio-hint">
          {remedy.label}.
        </p>
      ))}
      <div class="jp-mistudio-actions">
        {remedies.filter(isChange).map(remedy => (
          <Button
            key={remedy.label}
            {...stateOf(remedy)}
            onClick={() => start(remedy, { change: remedy.change })}
          >
            {remedy.label}
          </Button>
        ))}
        {error && isChange(error) && <ErrorNote error={retry.error!} onDismiss={retry.clear} />}
      </div>
      {remedies.filter(isQuestion).map(remedy => (
        <Question
          key={remedy.label}
          remedy={remedy}
          state={stateOf(remedy)}
          error={error?.label === remedy.label ? said(retry.error!) : null}
          onAnswer={mended => start(remedy, mended)}
        />
      ))}
    </div>
  );
}

const isQuestion = (remedy: Remedy): boolean => Boolean(remedy.ask);
const isForPeople = (remedy: Remedy): boolean =>
  !isQuestion(remedy) && Object.keys(remedy.change ?? {}).length === 0;
const isChange = (remedy: Remedy): boolean => !isQuestion(remedy) && !isForPeople(remedy);
const said = ({ message, hint }: { message: string; hint: string | null }): string =>
  [message, hint].filter(Boolean).join(' ');

interface ButtonState {
  busy: boolean;
  disabled: boolean;
  label: string | undefined;
}

interface QuestionProps {
  remedy: Remedy;
  state: ButtonState;
  error: string | null;
  onAnswer: (mended: Mended) => void;
}

/** A field for the value that a remedy asks for, and the button that tries it. */
function Question({ remedy, state, error, onAnswer }: QuestionProps) {
  const [value, setValue] = useState('');
  const field = remedy.ask ?? '';
  const given = value.trim();
  const send = (): void => {
    if (given !== '' && !state.busy && !state.disabled) {
      onAnswer(answered(remedy, given));
    }
  };
  const [label, hint] = FIELDS[field]?.() ?? [field, undefined];
  return (
    <div class="jp-mistudio-remedy">
      <TextField
        label={label}
        hint={hint}
        type={field === 'token' ? 'password' : 'text'}
        value={value}
        onChange={setValue}
        onEnter={send}
        error={error}
      />
      <Button {...state} disabled={state.disabled || given === ''} onClick={send}>
        {remedy.label}
      </Button>
    </div>
  );
}

/** Label and hint of a field that may be asked for; any other has its own name. */
const FIELDS: Record<string, () => [label: string, hint?: string]> = {
  token: () => [t('field.token'), t('remedy.token.hint')],
  revision: () => [t('field.revision'), t('remedy.revision.hint')],
  text_column: () => [t('field.textColumn')]
};

/** The retry with a value: a token goes beside the request, everything else changes it. */
export function answered({ ask, change }: Remedy, value: string): Mended {
  const changes = ask === 'token' ? { ...change } : { ...change, [ask ?? '']: value };
  return {
    ...(Object.keys(changes).length > 0 ? { change: changes } : {}),
    ...(ask === 'token' ? { token: value } : {})
  };
}
