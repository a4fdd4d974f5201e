import { useMemo, useState } from 'preact/hooks';
import { t } from '../messages';
import { TextField } from '../ui/Field';
import { Tree } from '../ui/Tree';
import type { TreeItem } from '../ui/Tree';
import { configTree, searchConfig } from './config';
import type { Config, ConfigNode } from './config';

/** The model's configuration as a tree, searchable by key and by value. */
export function ConfigTree({ config }: { config: Config }) {
  const [query, setQuery] = useState('');
  const nodes = useMemo(() => configTree(config), [config]);
  const items = useMemo(() => searchConfig(nodes, query).map(item), [nodes, query]);
  return (
    <div class="jp-mistudio-config">
      <TextField
        label={t('architecture.config.search')}
        type="search"
        value={query}
        onChange={setQuery}
      />
      {items.length === 0 ? (
        <p class="jp-mistudio-hint" role="status">
          {t('architecture.config.none')}
        </p>
      ) : (
        // What was found lies open; without a search the person opens what he wants.
        <Tree
          key={query}
          items={items}
          label={t('architecture.config')}
          allOpen={query.trim() !== ''}
        />
      )}
    </div>
  );
}

function item(node: ConfigNode): TreeItem {
  return {
    id: node.path,
    children: node.children.map(item),
    row: (
      <>
        <span class="jp-mistudio-tree-name">{node.key}</span>
        {node.value !== null && (
          <code class="jp-mistudio-config-value" title={node.value}>
            {node.value}
          </code>
        )}
      </>
    )
  };
}
