/**
 * Every text that a person reads, ready for translation. Large rooms keep theirs in a `texts.ts` of
 * their own, which is part of the one vocabulary here.
 */

import { activationTexts } from './activations/texts';
import { monitorTexts } from './monitor/texts';
import { architectureTexts } from './architecture/texts';
import { datasetTexts } from './datasets/texts';
import { modelTexts } from './models/texts';
import { templateTexts } from './templates/texts';
import { uiTexts } from './ui/texts';

const english = {
  ...architectureTexts,
  ...datasetTexts,
  ...modelTexts,
  ...templateTexts,
  ...uiTexts,
  ...activationTexts,
  ...monitorTexts,

  'app.name': 'miStudio',

  'error.unreachable': 'The Jupyter server does not answer.',
  'error.unreachable.hint': 'Check that it still runs and that you are online; then try again.',
  'error.notJson': 'The server sent a page instead of data.',
  'error.notJson.hint': 'Your login may have ended: reload the page and log in again.',
  'error.notEnabled': 'This Jupyter server has no miStudio.',
  'error.notEnabled.hint':
    'Enable it with "jupyter server extension enable mistudio_ext" and restart the server.',
  'error.forbidden': 'The server does not let you do this.',
  'error.forbidden.hint': 'Your login may have ended: reload the page and log in again.',
  'error.status': 'The server answered with status {status}.',

  'connection.reconnecting': 'Reconnecting…',
  'connection.reconnecting.title': 'Live updates are interrupted. What you see may be out of date.',

  'versions.page':
    'The server runs miStudio {server}, this page {page}. Restart the server and reload the page.',
  'versions.kernel':
    'The server runs miStudio {server}, this kernel {kernel}. Install the same version where the kernel runs, and restart it.',

  'action.add': 'Add',
  'action.back': 'Back',
  'action.cancel': 'Cancel',
  'action.cancelling': 'Cancelling…',
  'action.clear': 'Clear',
  'action.close': 'Close',
  'action.copied': 'Copied',
  'action.copy': 'Copy',
  'action.delete': 'Delete',
  'action.deleteNamed': 'Delete {name}',
  'action.dismiss': 'Dismiss',
  'action.keep': 'Keep it',
  'action.openNamed': 'Open {name}',
  'action.reload': 'Try again',
  'action.retry': 'Retry',
  'action.sendToKernel': 'Send to kernel',
  'action.sendNamed': 'Send {name} to kernel',
  'action.showAll': 'Show all',
  'action.showLess': 'Show less',

  'state.pending': 'Preparing',
  'state.ready': 'Ready',
  'state.queued': 'Queued',
  'state.running': 'Running',
  'state.done': 'Done',
  'state.failed': 'Failed',
  'state.cancelled': 'Cancelled',
  'state.interrupted': 'Interrupted',

  'count.row.one': '{n} row',
  'count.row.other': '{n} rows',
  'count.column.one': '{n} column',
  'count.column.other': '{n} columns',
  'count.token.one': '{n} token',
  'count.token.other': '{n} tokens',
  'count.sample.one': '{n} sample',
  'count.sample.other': '{n} samples',
  'count.layer.one': '{n} layer',
  'count.layer.other': '{n} layers',
  'count.hook.one': '{n} hook point',
  'count.hook.other': '{n} hook points',
  'count.parameter.one': '{n} parameter',
  'count.parameter.other': '{n} parameters',

  'progress.of': '{done} of {total} {unit}',
  'progress.rate': '{rate} {unit}/s',
  'progress.left': '{time} left',
  'progress.position': 'number {n} in the queue',
  'progress.waiting': 'Waiting to start',
  'phase.starting': 'Starting',
  'phase.downloading': 'Downloading',
  'phase.checking': 'Checking',
  'phase.counting': 'Counting',
  'phase.indexing': 'Indexing',
  'phase.reading': 'Reading',
  'phase.loading tokenizer': 'Loading the tokenizer',
  'phase.tokenizing': 'Tokenising',
  'phase.loading model': 'Loading the model',
  'phase.extracting': 'Extracting',
  'phase.writing': 'Writing',
  'unit.tokens': 'tokens',
  'unit.samples': 'samples',
  'unit.rows': 'rows',

  'tab.datasets': 'Datasets',
  'tab.models': 'Models',
  'tab.extract': 'Extract',
  'tab.jobs': 'Jobs',
  'tab.activations': 'Activations',
  'tab.jobs.active': '{n} running or waiting',
  'tabs.label': 'miStudio panels',
  'list.loading': 'Loading…',

  'source.sample': 'Bundled sample',
  'source.path': 'Folder or file',
  'source.hub': 'Hugging Face Hub',
  'source.upload': 'Upload',
  'source.label': 'Where from',
  'field.path': 'Path on the server',
  'field.repo': 'Repository',
  'field.config': 'Config',
  'field.revision': 'Revision',
  'field.split': 'Split',
  'field.textColumn': 'Text column',
  'field.maxRows': 'At most this many rows',
  'field.token': 'Access token',
  'field.token.hint': 'Only for gated or private repositories. It is not stored.',
  'field.name': 'Name',
  'remedy.token.hint': 'It is used for this attempt and not stored.',
  'remedy.revision.hint': 'A whole commit, 40 characters.',
  'field.optional': 'optional',
  'field.more': 'More options',
  'field.format': 'Format',

  'datasets.title': 'Datasets',
  'datasets.add': 'Add dataset',
  'datasets.addSample': 'Add sample dataset',
  'datasets.empty': 'No datasets yet',
  'datasets.empty.text':
    'The sample is a small collection of short stories. It comes with miStudio and needs no network.',
  'datasets.tokenized': 'already tokenised',
  'datasets.columns': 'Columns',
  'datasets.textColumn': 'Text column',

  'samples.title': 'Samples',
  'samples.range': '{from}–{to} of {total}',
  'samples.goto': 'Go to row',
  'samples.goto.found': 'Go to result',
  'samples.n': '{n} found',
  'samples.counting': 'At least {n}; still counting.',
  'samples.search': 'Search the texts',
  'samples.found': '{from}–{to} of {total} found',
  'samples.none': 'No text matches.',
  'samples.empty': 'This split has no rows.',
  'samples.blank': 'empty text',

  'architecture.title': 'Architecture',
  'architecture.pick': 'Choose a model',
  'architecture.loading': 'Reading the model’s structure…',
  'architecture.hooks': 'Hook points',
  'architecture.tree': 'Modules',
  'architecture.checks': 'Checks',
  'architecture.config': 'Configuration',
  'architecture.config.search': 'Search the configuration',
  'architecture.config.none': 'Nothing in the configuration matches.',
  'architecture.unavailable': 'Not available in this model',
  'architecture.check.passed': 'passed',
  'architecture.check.failed': 'failed',
  'architecture.check.error': 'largest difference {error}',
  'architecture.verified': 'All {n} hook points were checked against the model’s own outputs.',
  'architecture.partly': '{n} of {total} hook points were checked against the model’s own outputs.',
  'architecture.useIn': 'Use in Extract',
  'architecture.share': '{share} of all parameters',
  'architecture.yes': 'yes',
  'architecture.no': 'no',

  'fact.kind': 'Kind',
  'fact.class': 'Class',
  'fact.layers': 'Layers',
  'fact.d_model': 'Width (d_model)',
  'fact.d_mlp': 'MLP width',
  'fact.heads': 'Heads',
  'fact.heads.grouped': '{heads}, {kv} for keys and values',
  'fact.head_dim': 'Width of a head',
  'fact.attention': 'Attention',
  'fact.parallel': 'Parallel blocks',
  'fact.vocab': 'Vocabulary',
  'fact.context': 'Context',
  'fact.positional': 'Positions',
  'fact.norm': 'Norm',
  'fact.activation': 'Activation',
  'fact.tied': 'Tied embeddings',
  'fact.params': 'Parameters',
  'fact.size': 'Size',
  'fact.dtype': 'Stored as',
  'fact.format': 'Loaded as',
  'fact.source': 'From',
  'fact.rows': 'Rows',

  'hooks.diagram': 'One block of the model. Press a hook point to store it.',
  'hooks.block': 'one of {n} blocks',
  'hooks.attention': 'Attention',
  'hooks.mlp': 'MLP',
  'hooks.experts': 'Experts',
  'hooks.grid': 'Hook points by layer',
  'hooks.layer': 'Layer',
  'hooks.layerToggle': 'All chosen hook points of layer {n}',
  'hooks.layers': 'Layers',
  'hooks.layers.hint': 'For example 0,2-5 or 0-11:2 or all',
  'hooks.all': 'All',
  'hooks.none': 'None',
  'hooks.every': 'Every',
  'hooks.every.unit': 'layers',
  'hooks.every.label': 'Distance between layers: 3 is every third',
  'hooks.presets': 'Choose layers',
  'hooks.other': 'Other modules',
  'hooks.count': '{n} chosen',
  'hooks.bad': '“{text}” is not a choice of layers.',
  'hooks.outOfRange': 'Layer {layer} does not exist: the model has {n} layers.',
  'hooks.needModel': 'The hook points appear here once a model is ready.',

  'extract.title': 'Extract',
  'extract.dataset': 'Dataset',
  'extract.model': 'Model',
  'extract.choose': 'Choose…',
  'extract.what': 'What to store',
  'extract.how': 'How to store it',
  'extract.layout': 'Layout',
  'extract.layout.packed': 'packed: [tokens, width]',
  'extract.layout.padded': 'padded: [samples, context, width]',
  'extract.positions': 'Positions',
  'extract.positions.all': 'all tokens',
  'extract.positions.last': 'last token of each sample',
  'extract.positions.mean': 'mean of each sample',
  'extract.dtype': 'Number format',
  'extract.context': 'Context (tokens)',
  'extract.context.auto': 'model’s own',
  'extract.maxSamples': 'At most this many samples',
  'extract.maxSamples.all': 'all',
  'extract.advanced': 'Advanced',
  'extract.mode': 'Long texts',
  'extract.mode.truncate': 'cut off',
  'extract.mode.chunk': 'split into chunks',
  'extract.mode.pack': 'pack texts together',
  'extract.batch': 'Tokens at once',
  'extract.batch.auto': 'automatic',
  'extract.device': 'Device',
  'extract.device.auto': 'automatic',
  'extract.name': 'Name',
  'extract.name.placeholder': 'chosen for you',
  'extract.start': 'Extract',
  'extract.startAndOpen': 'Extract and open in notebook',
  'extract.starting': 'Starting…',
  'extract.copyPython': 'Copy as Python',
  'extract.copyFailed': 'The browser does not let this page copy. Select the text instead.',
  'extract.need.dataset': 'Choose a dataset.',
  'extract.need.model': 'Choose a model.',
  'extract.need.hooks': 'Choose at least one hook point.',
  'extract.need.datasetReady': 'The dataset is not ready yet.',
  'extract.need.modelReady': 'The model is not ready yet.',
  'extract.exists': 'This was extracted before: here it is.',
  'extract.runs': 'Runs',

  'estimate.title': 'Estimate',
  'estimate.working': 'Estimating…',
  'estimate.tokens': 'Tokens',
  'estimate.samples': 'Samples',
  'estimate.bytes': 'On disk',
  'estimate.time': 'Time',
  'estimate.memory': 'Device memory',
  'estimate.free': 'Free disk',
  'estimate.speed': 'Speed',
  'estimate.measured': '{speed}, as measured here',
  'estimate.speed.value': '{n} tokens/s',
  'estimate.about': 'about {value}',
  'estimate.unknown': 'not known yet',

  'kernel.sent': 'Sent. In the notebook it is called {variable}.',
  'kernel.opened': 'The kernel has it as {variable}.',
  'kernel.failed': 'The kernel could not open it.',
  'kernel.waiting': 'Waiting for the kernel…',

  'jobs.title': 'Jobs',
  'jobs.empty': 'No jobs yet',
  'jobs.empty.text': 'What you import, tokenise or extract shows here while it runs and after.',
  'jobs.running': 'Running and waiting',
  'jobs.finished': 'Finished',
  'jobs.log': 'Log',
  'jobs.first': 'Next',
  'jobs.remove': 'Remove {name} from the list',
  'jobs.logOf': 'Log of {name}',
  'jobs.log.empty': 'The log is empty.',
  'jobs.log.truncated': 'Only the end of the log is shown.',
  'jobs.took': 'took {time}',
  'jobs.startedAgo': '{time} ago',
  'jobs.kind.dataset.import': 'Import dataset',
  'jobs.kind.model.import': 'Import model',
  'jobs.kind.model.variant': 'Make a format',
  'jobs.kind.tokenize': 'Tokenise',
  'jobs.kind.extract': 'Extract',
  'jobs.kind.index': 'Index for search',
  'jobs.waitsFor': 'Waits for {names}',

  'activations.title': 'Activations',
  'activations.empty': 'No activations yet',
  'activations.empty.text': 'Extract some from a dataset and a model; they are kept here.',
  'activations.goExtract': 'Go to Extract',
  'activations.delete': 'Delete {name}? Its arrays are removed from the disk.',
  'activations.of': '{model} on {dataset}',
  'activations.where.one': '{hooks} of layer {layers}',
  'activations.where.other': '{hooks} of layers {layers}',
  'activations.ready': '{ready} of {total} {unit} readable',
  'activations.spec': 'Settings',
  'activations.files': 'Arrays',
  'activations.file': 'File',
  'activations.hook': 'Hook point',
  'activations.shape': 'Shape',
  'activations.dtype': 'Type',
  'activations.bytes': 'Size',
  'activations.statistics': 'Statistics',
  'activations.stat.mean': 'Mean',
  'activations.stat.std': 'Std',
  'activations.stat.mean_norm': 'Mean norm',
  'activations.stat.max_abs': 'Largest',
  'activations.stat.sparsity': 'Near zero',
  'activations.stat.non_finite': 'Not finite',
  'activations.chart': '{stat} by layer',
  'activations.python': 'In Python',
  'activations.path': 'Folder',
  'activations.created': 'Made',
  'activations.took': 'Took',
  'activations.missing': 'This extraction is no longer there.',

  'freed.bytes': '{bytes} freed.',

  'welcome.title': 'See inside a language model in a minute',
  'welcome.text':
    'The sample comes with miStudio: no download, no GPU. Each step below is one you will use with your own data.',
  'welcome.button': 'Try the sample',
  'welcome.own': 'Use my own data',
  'welcome.continue': 'Continue to the form',
  'welcome.step.dataset': 'Add the sample dataset',
  'welcome.step.dataset.text': 'Short stories with names, dates, numbers and quotations.',
  'welcome.step.model': 'Add the sample model',
  'welcome.step.model.text': 'A small language model trained on stories like these.',
  'welcome.step.extract': 'Run the stories through the model',
  'welcome.step.extract.text':
    'The residual stream after layer 2 is kept for every token of 500 stories, as it is computed.',
  'welcome.step.look': 'Look inside, or send it to a notebook',
  'welcome.step.look.text':
    'Tokens coloured by what the model has there; in a notebook, memory-mapped arrays as acts.',
  'welcome.done': 'done',
  'welcome.working': 'working'
};

export type MessageKey = keyof typeof english;

let messages: Record<MessageKey, string> = english;

/** Puts every text through a translator; placeholders in braces stay as they are. */
export function translateAll(gettext: (text: string) => string): void {
  messages = Object.fromEntries(
    Object.entries(english).map(([key, text]) => [key, gettext(text)])
  ) as Record<MessageKey, string>;
}

/** The text of a key, with `{name}` placeholders filled in. */
export function t(key: MessageKey, values: Record<string, string | number> = {}): string {
  return messages[key].replace(/\{(\w+)\}/g, (whole, name: string) =>
    name in values ? String(values[name]) : whole
  );
}

export function isMessageKey(key: string): key is MessageKey {
  return key in english;
}

/** A text whose key is made of data, e.g. a state; falls back to the data itself. */
export function tData(prefix: string, value: string): string {
  const key = `${prefix}.${value}`;
  return isMessageKey(key) ? t(key) : value;
}

type Countable =
  | 'row'
  | 'column'
  | 'token'
  | 'sample'
  | 'layer'
  | 'hook'
  | 'parameter'
  | 'badRow'
  | 'context'
  | 'dataset'
  | 'tokenization';

const plural = new Intl.PluralRules('en');

/** "1 row", "5,000 rows": `text` is the number as it should be shown. */
export function count(n: number, noun: Countable, text = n.toLocaleString('en')): string {
  const form = plural.select(n) === 'one' ? 'one' : 'other';
  return t(`count.${noun}.${form}`, { n: text });
}
