/** What one block of a model is made of, for its drawing. */

import type { Architecture, TreeNode } from '../types';

/**
 * Where the norms are: before a branch ("pre"), before and after it ("sandwich"), only after it
 * ("branch"), or on the stream after each sum ("stream", post-LN).
 */
export type NormPlace = 'pre' | 'sandwich' | 'branch' | 'stream' | 'none';

/** One branch after the other, both from the same stream, one only, or nothing is known. */
export type BlockShape = 'serial' | 'parallel' | 'single' | 'opaque';

export interface BlockForm {
  shape: BlockShape;
  norm: NormPlace;
  /** Both branches of a parallel block read through one norm. */
  sharedNorm: boolean;
  /** What mixes positions: "attention", "state-space", …; null where it is not known. */
  mixer: string | null;
  experts: { count: number; active: number | null } | null;
}

const NORM = /norm|^ln/i;

/** The form as the server found it by tracing; what it does not say is read off the module tree. */
export function blockForm(architecture: Architecture): BlockForm {
  const said = architecture.block ?? {};
  const norms = normsOf(firstBlock(architecture.tree ?? []));
  const shape = said.form ?? (architecture.parallel ? 'parallel' : 'serial');
  return {
    shape,
    norm: said.norm ?? normPlace(architecture, norms),
    sharedNorm: said.shared_norm ?? (shape === 'parallel' && norms.length === 1),
    mixer: said.mixer ?? (architecture.n_heads ? 'attention' : null),
    experts: expertsOf(architecture.experts)
  };
}

function normPlace(architecture: Architecture, norms: readonly string[]): NormPlace {
  if (architecture.kind === 'encoder') {
    return 'stream';
  }
  if (norms.length >= 4) {
    return 'sandwich';
  }
  return norms.length > 0 && norms.every(name => name.startsWith('post_')) ? 'branch' : 'pre';
}

function expertsOf(experts: Architecture['experts']): BlockForm['experts'] {
  const [count, active] = [experts?.['count'], experts?.['active']];
  return typeof count === 'number'
    ? { count, active: typeof active === 'number' ? active : null }
    : null;
}

/** The module that the tree lists as the first of many: `….layers.0`. */
export function firstBlock(tree: readonly TreeNode[]): TreeNode | null {
  for (const node of tree) {
    const children = node.children ?? [];
    const first = children[0];
    if (first && children.length > 1 && node.class === 'ModuleList') {
      return first;
    }
    const found = firstBlock(children);
    if (found) {
      return found;
    }
  }
  return null;
}

/** Names of a block's own norms; those inside attention (of queries and keys) are no part of it. */
function normsOf(block: TreeNode | null): string[] {
  const names = (block?.children ?? []).map(child => child.name.split('.').at(-1) ?? '');
  return names.filter(name => NORM.test(name));
}

/** Layers by kind, in the order in which the kinds first occur; one kind is no news. */
export function layersByKind(kinds: readonly string[] | null | undefined): Map<string, number[]> {
  const found = new Map<string, number[]>();
  kinds?.forEach((kind, layer) => found.set(kind, [...(found.get(kind) ?? []), layer]));
  return found.size > 1 ? found : new Map<string, number[]>();
}
