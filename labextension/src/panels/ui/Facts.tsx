import type { ComponentChildren } from 'preact';

export type Fact = [label: string, value: ComponentChildren];

/** Labels and values in as many columns as there is room for. */
export function Facts({ facts, label }: { facts: readonly Fact[]; label?: string }) {
  return (
    <dl class="jp-mistudio-facts" aria-label={label}>
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
