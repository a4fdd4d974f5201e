/** Texts of the architecture's room: facts, drawing, hook points. */

export const architectureTexts = {
  'hooks.norm': 'Norm',
  'hooks.experts.active': '{active} of {count}',
  'hooks.kinds': 'Layers differ; drawn is',
  'hooks.kinds.layers': '{kind}: layers {layers}',

  'mixer.mixer': 'Mixer',
  'mixer.state-space': 'State space',
  'mixer.linear attention': 'Linear attention',
  'mixer.sliding attention': 'Sliding window',
  'mixer.recurrence': 'Recurrence',
  'mixer.convolution': 'Convolution',

  'point.embed':
    'What enters the first block: token embeddings, with positions where they are added',
  'point.resid_pre': 'The residual stream as it enters the block',
  'point.z': 'Heads’ outputs side by side, before the output projection mixes them',
  'point.attn_out': 'What attention (or another mixer) adds to the stream',
  'point.resid_mid': 'The residual stream between attention and MLP',
  'point.mlp_post': 'The MLP’s neurons after their activation function',
  'point.mlp_out': 'What the MLP adds to the stream',
  'point.resid_post': 'The residual stream as it leaves the block',
  'point.ln_final': 'The stream after the final norm: what the unembedding reads',

  'extractable.nothing': 'Nothing can be extracted from this model: {reason}.',
  'extractable.encoder':
    'An encoder: the hook points below can be extracted. Every position sees the whole text, later tokens too.',
  'architecture.facts': 'Facts',

  'points.title': 'Hook points: what each is',
  'points.point': 'Point',
  'points.width': 'Width',
  'points.layers': 'Layers',
  'points.checked': 'Checked',
  'points.checked.exact': 'exact',
  'points.checked.error': 'within {error}',
  'points.checked.no': 'not checked',

  'fact.published': 'Published as',
  'fact.positions': 'Longest input',
  'fact.positions.none': 'no limit',
  'fact.unknown': 'could not be found: {reason}',
  'fact.active': 'Active parameters',
  'fact.experts': 'Experts',
  'fact.experts.value': '{active} of {count} for each token',
  'fact.window': 'Sliding window',
  'fact.block': 'Block',
  'block.serial': 'attention, then MLP',
  'block.parallel': 'attention and MLP in parallel',
  'block.single': 'one mixer',
  'block.opaque': 'not taken apart',
  'fact.norms': 'Norms are',
  'norms.pre': 'before each branch',
  'norms.sandwich': 'before and after each branch',
  'norms.branch': 'after each branch',
  'norms.stream': 'on the stream, after each sum',
  'norms.none': 'absent'
};
