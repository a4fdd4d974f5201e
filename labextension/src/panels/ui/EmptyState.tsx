import type { ComponentChildren } from 'preact';

interface Props {
  title: string;
  text: string;
  children?: ComponentChildren;
}

/** Nothing here yet: what belongs here, and the one action that brings it. */
export function EmptyState({ title, text, children }: Props) {
  return (
    <div class="jp-mistudio-empty">
      <div class="jp-mistudio-empty-title">{title}</div>
      <p>{text}</p>
      {children}
    </div>
  );
}
