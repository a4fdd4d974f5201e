import type { ComponentChildren, Ref } from 'preact';
import { Icon } from './Icon';
import type { IconName } from './Icon';

interface ButtonProps {
  children?: ComponentChildren;
  onClick: () => void;
  kind?: 'normal' | 'primary' | 'danger' | 'quiet';
  icon?: IconName;
  /** Name for assistive technology where it says more than the text, or there is no text. */
  label?: string;
  title?: string;
  disabled?: boolean;
  busy?: boolean;
  expanded?: boolean;
  pressed?: boolean | 'mixed';
  controls?: string;
  describedBy?: string;
  class?: string;
  buttonRef?: Ref<HTMLButtonElement>;
}

/** A real button. While busy it keeps the focus and ignores presses. */
export function Button(props: ButtonProps) {
  const { kind = 'normal', busy = false } = props;
  const iconOnly = props.children === undefined;
  return (
    <button
      type="button"
      ref={props.buttonRef}
      class={[
        'jp-mistudio-button',
        `jp-mistudio-mod-${kind}`,
        iconOnly ? 'jp-mistudio-mod-icon' : '',
        props.class ?? ''
      ]
        .join(' ')
        .trim()}
      disabled={props.disabled}
      aria-disabled={busy || undefined}
      aria-busy={busy || undefined}
      aria-label={props.label}
      aria-expanded={props.expanded}
      aria-pressed={props.pressed}
      aria-controls={props.controls}
      aria-describedby={props.describedBy}
      title={props.title ?? (iconOnly ? props.label : undefined)}
      onClick={() => {
        if (!busy) {
          props.onClick();
        }
      }}
    >
      {busy ? <Icon name="spinner" /> : props.icon && <Icon name={props.icon} />}
      {props.children !== undefined && <span>{props.children}</span>}
    </button>
  );
}
