/** Texts of the view into an extraction's arrays. */

export const activationTexts = {
  'look.title': 'Look inside',
  'look.waiting': 'As soon as the first samples are written they can be looked at here.',
  'look.hook': 'Hook point',
  'look.dimension': 'Dimension',
  'look.dimension.hint': '0 to {last}; empty: the norm',
  'look.dimension.bad': 'A whole number from 0 to {last}, or nothing for the norm.',
  'look.norm': 'norm',

  'tokens.title': 'Tokens',
  'tokens.sample': 'Sample',
  'tokens.previous': 'Previous sample',
  'tokens.next': 'Next sample',
  'tokens.of': 'of {n}',
  'tokens.list': 'Tokens of sample {n}. Arrow keys move, the details follow.',
  'tokens.value': '{token}: {value}',
  'tokens.notStored': 'not stored',
  'tokens.notFinite': 'not finite',
  'tokens.last': 'Only the vector of the last token was stored.',
  'tokens.mean': 'The mean over the sample was stored: {value}.',
  'tokens.legend': 'Colours: {least} to {most}',
  'tokens.pick': 'Point at a token, or move with the arrow keys, to see its value.',
  'tokens.detail': 'token {position} · id {id}',
  'tokens.standsOut': 'Stands out here in dimension',
  'tokens.standsOut.title':
    '{value}, {z} standard deviations from the mean of this sample. Press to colour by it.',
  'tokens.document': 'Document',
  'tokens.document.row': 'row {row} of {split}',
  'tokens.document.show': 'Show in Datasets',
  'tokens.document.gone': 'The dataset of this extraction is no longer there.',

  'top.title': 'Top samples',
  'top.order': 'Order',
  'top.order.max': 'largest first',
  'top.order.min': 'smallest first',
  'top.order.abs': 'largest by size',
  'top.reading': '{read} of {total} samples read',
  'top.all': 'All {total} samples read',
  'top.stopped': 'Stopped after {read} of {total} samples',
  'top.stop': 'Stop',
  'top.again': 'Search again',
  'top.about': 'By the strongest token of each, its first left out.',
  'top.none': 'No finite value was found.',
  'top.open': 'Sample {sample}, token {position}: {value}',

  'plane.title': 'Projection',
  'plane.again': 'Other tokens',
  'plane.about':
    '{n} of {of} tokens on their first two principal components, without the first of each sample. The farthest lie on the border.',
  'plane.component': 'PC {n} ({share} of the variance)',
  'plane.label':
    'Scatter plot of {n} tokens on two principal components. Arrow keys move between points, Enter opens one.',
  'plane.point': 'sample {sample}, token {position}: {value}',
  'plane.hint': 'Point at a token for its text; press it to open its sample.',

  'statistics.none': 'none',
  'statistics.choose': 'Look at {hook}'
} as const;
