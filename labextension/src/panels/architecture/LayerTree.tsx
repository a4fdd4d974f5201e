import { useMemo } from 'preact/hooks';
import { compact, percent, shape } from '../lib/format';
import { t } from '../messages';
import type { TreeNode } from '../types';
import { Tree } from '../ui/Tree';
import type { TreeItem } from '../ui/Tree';

/** The model's modules with their parameters and their share of the whole. */
export function LayerTree({ nodes }: { nodes: TreeNode[] }) {
  const items = useMemo(() => nodes.map(node => item(node, '')), [nodes]);
  return <Tree items={items} label={t('architecture.tree')} />;
}

function item(node: TreeNode, parent: string): TreeItem {
  const prefix = parent === '' ? '' : `${parent}.`;
  const short =
    prefix !== '' && node.name.startsWith(prefix) ? node.name.slice(prefix.length) : node.name;
  const children = node.children ?? [];
  return {
    id: node.name === '' ? '(model)' : node.name,
    // Children are built when the tree is, but their rows are only rendered when they are open.
    children: children.map(child => item(child, node.name)),
    row: (
      <>
        <span class="jp-mistudio-tree-name">{short === '' ? node.class : short}</span>
        <span class="jp-mistudio-tree-class">
          {short === '' ? '' : node.class}
          {node.shape && node.shape.length > 0 ? ` ${shape(node.shape)}` : ''}
        </span>
        <span
          class="jp-mistudio-tree-share"
          title={t('architecture.share', { share: percent(node.share) })}
        >
          <span style={{ width: `${Math.min(1, node.share) * 100}%` }} />
        </span>
        <span class="jp-mistudio-tree-params">
          {compact(node.params)} <span class="jp-mistudio-hidden">{percent(node.share)}</span>
        </span>
      </>
    )
  };
}
