/** A model's configuration as nested keys. */

export type Config = Record<string, unknown>;

export interface ConfigNode {
  path: string;
  key: string;
  /** Text of a value; null where there are keys below. */
  value: string | null;
  children: ConfigNode[];
}

function isTable(value: unknown): value is Config {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** {a: {b: 1}} → a node "a" with a node "a.b" below. */
export function configTree(config: Config, prefix = ''): ConfigNode[] {
  return Object.entries(config).map(([key, value]) => {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    return isTable(value)
      ? { path, key, value: null, children: configTree(value, path) }
      : { path, key, value: textOf(value), children: [] };
  });
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined');
}

/** The nodes that have the words in key or value, with what is above and below them. */
export function searchConfig(nodes: readonly ConfigNode[], query: string): ConfigNode[] {
  const needle = query.trim().toLowerCase();
  return nodes.flatMap(node => {
    if (`${node.path} ${node.value ?? ''}`.toLowerCase().includes(needle)) {
      return [node];
    }
    const children = searchConfig(node.children, query);
    return children.length > 0 ? [{ ...node, children }] : [];
  });
}

/** {a: {b: 1}} → [["a.b", "1"]]. */
export function flattenConfig(config: Config): [string, string][] {
  const flat = (nodes: ConfigNode[]): [string, string][] =>
    nodes.flatMap(node =>
      node.value === null ? flat(node.children) : [[node.path, node.value] as [string, string]]
    );
  return flat(configTree(config));
}
