/** Texts of the controls that several panels share. */

export const uiTexts = {
  'hubSearch.label': 'Search the Hub',
  'hubSearch.placeholder.models': 'e.g. pythia, or a whole name: org/name',
  'hubSearch.placeholder.datasets': 'e.g. stories, or a whole name: org/name',
  'hubSearch.searching': 'Searching…',
  'hubSearch.none': 'The Hub knows nothing called “{query}”.',
  'hubSearch.found.one': '{n} result. Use the arrow keys to choose.',
  'hubSearch.found.other': '{n} results. Use the arrow keys to choose.',
  'hubSearch.gated': 'gated',
  'hubSearch.private': 'private',
  'hubSearch.downloads': '{n} downloads',
  'hubSearch.likes': '{n} likes',
  'hubSearch.exact': 'Use this name',

  'chips.label': '{n} tokens',
  'chips.token': 'token {id}',
  'chips.special': 'special token',
  'chips.more': '{n} more'
};
