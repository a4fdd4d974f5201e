import type { ComponentChildren } from 'preact';

/** `wide` for what needs a line of its own, such as a path. */
export type Fact = [label: string, value: ComponentChildren, wide?: boolean];

/** Labels and values in as many columns as there is room for. */
export function Facts({ facts, label }: { facts: readonly Fact[]; label?: string }) {
  return (
    <dl class="jp-mistudio-facts" aria-label={label}>
      {facts.map(([name, value, wide]) => (
        <div key={name} class={wide ? 'jp-mistudio-mod-wide' : undefined}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
