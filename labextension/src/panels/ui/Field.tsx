import type { ComponentChildren } from 'preact';
import { t } from '../messages';
import { useUid } from './hooks';
import { Icon } from './Icon';

interface FieldProps {
  label: string;
  hint?: string;
  /** What is wrong with the value; belongs to the control for assistive technology. */
  error?: string | null;
  optional?: boolean;
  children: (ids: {
    id: string;
    describedBy: string | undefined;
    invalid: boolean;
  }) => ComponentChildren;
}

/** A labelled control with its hint and its error. */
export function Field({ label, hint, error, optional, children }: FieldProps) {
  const id = useUid('field');
  const describedBy =
    [hint ? `${id}-hint` : '', error ? `${id}-error` : ''].filter(Boolean).join(' ') || undefined;
  return (
    <div class="jp-mistudio-field">
      <label for={id}>
        {label}
        {optional && <span class="jp-mistudio-optional"> {t('field.optional')}</span>}
      </label>
      {children({ id, describedBy, invalid: Boolean(error) })}
      {hint && (
        <div class="jp-mistudio-hint" id={`${id}-hint`}>
          {hint}
        </div>
      )}
      {error && (
        <div class="jp-mistudio-fielderror" id={`${id}-error`} role="alert">
          <Icon name="alert" /> <span>{error}</span>
        </div>
      )}
    </div>
  );
}

interface TextProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  onEnter?: () => void;
  /** Called when the value is complete: on leaving the field or on Enter. */
  onCommit?: (value: string) => void;
  hint?: string;
  error?: string | null;
  optional?: boolean;
  placeholder?: string;
  type?: 'text' | 'password' | 'search';
  numeric?: boolean;
}

export function TextField(props: TextProps) {
  return (
    <Field label={props.label} hint={props.hint} error={props.error} optional={props.optional}>
      {({ id, describedBy, invalid }) => (
        <input
          id={id}
          class="jp-mistudio-input"
          type={props.type ?? 'text'}
          inputMode={props.numeric ? 'numeric' : undefined}
          value={props.value}
          placeholder={props.placeholder}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          aria-describedby={describedBy}
          aria-invalid={invalid || undefined}
          onInput={event => props.onChange(event.currentTarget.value)}
          onBlur={event => props.onCommit?.(event.currentTarget.value)}
          onKeyDown={event => {
            if (event.key === 'Enter' && !event.isComposing) {
              props.onCommit?.(event.currentTarget.value);
              props.onEnter?.();
            }
          }}
        />
      )}
    </Field>
  );
}

export interface Option {
  value: string;
  label: string;
  disabled?: boolean;
}

interface SelectProps {
  label: string;
  value: string;
  options: readonly Option[];
  onChange: (value: string) => void;
  hint?: string;
  error?: string | null;
  optional?: boolean;
}

export function SelectField(props: SelectProps) {
  return (
    <Field label={props.label} hint={props.hint} error={props.error} optional={props.optional}>
      {({ id, describedBy, invalid }) => (
        <span class="jp-mistudio-select">
          <select
            id={id}
            value={props.value}
            aria-describedby={describedBy}
            aria-invalid={invalid || undefined}
            onChange={event => props.onChange(event.currentTarget.value)}
          >
            {props.options.map(option => (
              <option
                key={option.value}
                value={option.value}
                disabled={option.disabled}
                selected={option.value === props.value}
              >
                {option.label}
              </option>
            ))}
          </select>
          <Icon name="chevron" />
        </span>
      )}
    </Field>
  );
}

interface NumberProps {
  label: string;
  value: number | null;
  onChange: (value: number | null) => void;
  placeholder?: string;
  hint?: string;
  error?: string | null;
  optional?: boolean;
}

/** A whole number of at least 1, or nothing. */
export function NumberField(props: NumberProps) {
  return (
    <Field label={props.label} hint={props.hint} error={props.error} optional={props.optional}>
      {({ id, describedBy, invalid }) => (
        <input
          id={id}
          class="jp-mistudio-input"
          type="number"
          min={1}
          step={1}
          value={props.value ?? ''}
          placeholder={props.placeholder}
          aria-describedby={describedBy}
          aria-invalid={invalid || undefined}
          onInput={event => {
            const value = Math.round(event.currentTarget.valueAsNumber);
            props.onChange(Number.isFinite(value) ? value : null);
          }}
        />
      )}
    </Field>
  );
}

interface RowProps {
  label: string;
  value: number;
  /** How many rows there are, where it is known. */
  rows: number | null;
  onChange: (row: number) => void;
}

/** The number of a row, from 0. */
export function RowField({ label, value, rows, onChange }: RowProps) {
  const last = rows === null ? undefined : Math.max(0, rows - 1);
  return (
    <Field label={label}>
      {({ id }) => (
        <input
          id={id}
          class="jp-mistudio-input"
          type="number"
          min={0}
          max={last}
          step={1}
          value={value}
          onInput={event => {
            const row = Math.round(event.currentTarget.valueAsNumber);
            if (row >= 0) {
              onChange(Math.min(row, last ?? row));
            }
          }}
        />
      )}
    </Field>
  );
}
