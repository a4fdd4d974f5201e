/** Texts of extraction templates. */

export const templateTexts = {
  'templates.title': 'Templates',
  'templates.empty':
    'A template keeps hook points and settings for another time or another model. Save the form above as the first one.',
  'templates.save': 'Save template',
  'templates.name': 'Save these settings as',
  'templates.nothing': 'Choose hook points first: a template without them would say nothing.',
  'templates.saved': 'Saved as “{name}”.',
  'templates.load': 'Load {name}',
  'templates.loaded': 'Loaded “{name}”.',
  'templates.loaded.mapped': 'Loaded “{name}”: layers {from} became {to}.',
  'templates.missing': 'This model does not offer {hooks}; they were left out.',
  'templates.missing.all': 'This model offers none of the template’s hook points: {hooks}.',
  'templates.otherDepth': '“{name}” was made for {from} layers; {model} has {to}.',
  'templates.map': 'Map by relative depth',
  'templates.exact': 'Keep the layer numbers',
  'templates.favourite': 'Favourite {name}',
  'templates.more': 'Rename, export or delete',
  'templates.delete': 'Delete the template “{name}”?',
  'templates.export': 'Export all',
  'templates.exportOne': 'Export {name}',
  'templates.import': 'Import…',
  'templates.imported.one': 'Imported “{names}”.',
  'templates.imported.other': 'Imported {n} templates: {names}.',
  'templates.notJson': '{file} is not a JSON file.',
  'templates.notJson.hint': 'Choose a file that “Export” made.',
  'templates.layers': 'layers {layers}',
  'templates.layers.all': 'all layers',
  'templates.samples': '{n} samples'
};
