import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { ApiError } from '../api';
import { t } from '../messages';
import type { MessageKey } from '../messages';
import { Button } from './Button';
import { ErrorNote } from './ErrorNote';
import { SelectField, TextField } from './Field';
import { useAction } from './hooks';
import { Disclosure } from './Section';

export type Source = 'hub' | 'path';

/** State of a form that registers something from the Hub or from the server's disk. */
export interface SourceState {
  source: Source;
  setSource: (source: Source) => void;
  /** What a text field with this key needs. */
  text: (
    key: string,
    ...alsoAt: string[]
  ) => {
    value: string;
    onChange: (value: string) => void;
    error: string | null;
  };
  /** The server's complaint, if it is about one of these fields. */
  errorAt: (...fields: string[]) => string | null;
  error: ApiError | null;
  busy: boolean;
  submit: () => void;
}

/**
 * @param keys text fields per source; only those of the chosen source are sent
 * @param send sends what was typed, without what was left empty
 */
export function useSourceForm(
  keys: Record<Source, readonly string[]>,
  send: (source: Source, values: Record<string, string>) => Promise<void>
): SourceState {
  const [source, setSource] = useState<Source>('hub');
  const [values, setValues] = useState<Record<string, string>>({});
  const add = useAction(async () => {
    const typed = keys[source].map(key => [key, values[key]?.trim() ?? '']);
    await send(source, Object.fromEntries(typed.filter(([, value]) => value !== '')));
  });
  const errorAt = (...fields: string[]): string | null =>
    add.error?.field && fields.includes(add.error.field)
      ? [add.error.message, add.error.hint].filter(Boolean).join(' ')
      : null;
  return {
    source,
    setSource,
    text: (key, ...alsoAt) => ({
      value: values[key] ?? '',
      onChange: value => setValues(old => ({ ...old, [key]: value })),
      error: errorAt(key, ...alsoAt)
    }),
    errorAt,
    error: add.error,
    busy: add.busy,
    submit: () => void add.run()
  };
}

interface Props {
  form: SourceState;
  title: string;
  repoPlaceholder: string;
  pathHint: string;
  onClose: () => void;
  /** Below the main field. */
  children?: ComponentChildren;
  /** Fields that few need, folded away. */
  more: ComponentChildren;
  /** Fields whose errors the form shows at the control. */
  fields: readonly string[];
}

export function SourceForm(props: Props) {
  const { form } = props;
  const main = form.source === 'hub' ? 'repo_id' : 'path';
  const known = [main, ...props.fields];
  const folded = props.fields.filter(
    field => field !== main && field !== 'format' && form.errorAt(field) !== null
  );
  return (
    <div class="jp-mistudio-form jp-mistudio-card" role="group" aria-label={props.title}>
      <SelectField
        label={t('source.label')}
        value={form.source}
        options={[
          { value: 'hub', label: t('source.hub') },
          { value: 'path', label: t('source.path') }
        ]}
        onChange={value => form.setSource(value as Source)}
      />
      {form.source === 'hub' ? (
        <TextField
          key="hub"
          label={t('field.repo')}
          placeholder={props.repoPlaceholder}
          onEnter={form.submit}
          {...form.text('repo_id')}
        />
      ) : (
        <TextField
          key="path"
          label={t('field.path')}
          hint={props.pathHint}
          onEnter={form.submit}
          {...form.text('path')}
        />
      )}
      {props.children}
      <Disclosure title={t('field.more')} open={folded.length > 0}>
        <div class="jp-mistudio-fields">{props.more}</div>
      </Disclosure>
      {form.error && !(form.error.field && known.includes(form.error.field)) && (
        <ErrorNote error={form.error} />
      )}
      <div class="jp-mistudio-actions">
        <Button
          kind="primary"
          busy={form.busy}
          disabled={form.text(main).value.trim() === ''}
          onClick={form.submit}
        >
          {t('action.add')}
        </Button>
        <Button onClick={props.onClose}>{t('action.close')}</Button>
      </div>
    </div>
  );
}

interface OptionalProps {
  form: SourceState;
  name: string;
  label: MessageKey;
  hint?: MessageKey;
  secret?: boolean;
  /** Other names under which the server may complain about this field. */
  alsoAt?: string[];
}

/** A text field that may stay empty. */
export function OptionalText({ form, name, label, hint, secret, alsoAt = [] }: OptionalProps) {
  return (
    <TextField
      label={t(label)}
      hint={hint && t(hint)}
      optional
      type={secret ? 'password' : 'text'}
      {...form.text(name, ...alsoAt)}
    />
  );
}
