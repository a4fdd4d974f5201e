import {
  ILabShell,
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  ICommandPalette,
  InputDialog,
  MainAreaWidget,
  showErrorMessage,
  WidgetTracker
} from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import type { JSONObject } from '@lumino/coreutils';

import { fetchJson } from './bundle';
import { mistudioIcon } from './icon';
import { KernelSender } from './kernel';
import { notifyOfJobs } from './notify';
import { StudioPanel } from './panel';
import { offerTranslation } from './panels/page';
import { StatusItem } from './status';

const PLUGIN_ID = '@mistudio/labextension:plugin';

/** Heading of the commands in the palette. */
const CATEGORY = 'miStudio';

/** Commands of the extension. */
export const CommandIds = {
  openPanel: 'mistudio:open-panel',
  openInMainArea: 'mistudio:open-in-main-area',
  sendToKernel: 'mistudio:send-to-kernel'
} as const;

interface ISettings {
  variable: string;
  side: 'left' | 'right';
  statusBar: boolean;
  /** Seconds; a job that took as long is told of when it ends. 0: none is. */
  notifyAfter: number;
}

/**
 * The miStudio sidebar. Everything it uses is optional, so that the one build
 * runs in JupyterLab and in Notebook 7.
 */
const plugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Datasets, models and activations for mechanistic interpretability.',
  autoStart: true,
  optional: [
    ILabShell,
    INotebookTracker,
    ICommandPalette,
    ILauncher,
    ILayoutRestorer,
    ISettingRegistry,
    ITranslator,
    IStatusBar
  ],
  activate: (
    app: JupyterFrontEnd,
    labShell: ILabShell | null,
    notebooks: INotebookTracker | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    restorer: ILayoutRestorer | null,
    registry: ISettingRegistry | null,
    translator: ITranslator | null,
    statusBar: IStatusBar | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('mistudio');
    offerTranslation(text => trans.gettext(text));
    const settings: ISettings = {
      variable: 'acts',
      side: 'left',
      statusBar: true,
      notifyAfter: 30
    };
    const sender = new KernelSender(app, notebooks, trans);
    const newPanel = (id: string): StudioPanel =>
      new StudioPanel({
        id,
        trans,
        send: request => sender.send(request),
        variable: () => settings.variable
      });

    const sidebar = newPanel('mistudio-sidebar');
    app.shell.add(sidebar, settings.side, { rank: 600, type: 'miStudio' });
    restorer?.add(sidebar, sidebar.id);

    addOpenPanel(app, sidebar, palette, trans);
    const status = statusBar && addStatusItem(app, statusBar, settings, trans);
    addSendToKernel(app, sender, settings, trans);
    if (labShell) {
      addMainArea(app, newPanel, restorer, trans);
    }

    for (const command of Object.values(CommandIds)) {
      if (app.commands.hasCommand(command)) {
        palette?.addItem({ command, category: CATEGORY });
      }
    }
    if (labShell) {
      launcher?.add({ command: CommandIds.openInMainArea, category: 'Other', rank: 1 });
    }
    const followed = followSettings(app, registry, sidebar, settings, status);
    // Only when all is on the screen: nobody waits for a notification.
    void Promise.all([app.restored, followed]).then(() =>
      notifyOfJobs({
        trans,
        after: () => settings.notifyAfter,
        open: (tab, selection) =>
          void app.commands.execute(CommandIds.openPanel, { tab, selection } as JSONObject),
        send: (extraction, name) =>
          void app.commands.execute(CommandIds.sendToKernel, { extraction, name })
      })
    );
  }
};

/** Show the sidebar, and one of its panels where one is named. */
function addOpenPanel(
  app: JupyterFrontEnd,
  sidebar: StudioPanel,
  palette: ICommandPalette | null,
  trans: TranslationBundle
): void {
  const names: Record<string, string> = {
    datasets: trans.__('Datasets'),
    models: trans.__('Models'),
    extract: trans.__('Extract'),
    jobs: trans.__('Jobs'),
    activations: trans.__('Activations'),
    monitor: trans.__('Machine')
  };
  app.commands.addCommand(CommandIds.openPanel, {
    label: args => {
      const name = names[String(args['tab'])];
      return name ? trans.__('Show miStudio: %1', name) : trans.__('Show miStudio');
    },
    caption: trans.__('Show datasets, models, extractions and jobs in the sidebar'),
    icon: mistudioIcon,
    execute: args => {
      if (typeof args['tab'] === 'string') {
        sidebar.select(args['tab'], args['selection'] as Record<string, unknown> | undefined);
      }
      app.shell.activateById(sidebar.id);
    },
    describedBy: {
      args: {
        type: 'object',
        properties: {
          tab: { type: 'string', enum: Object.keys(names), description: trans.__('The panel') },
          selection: { type: 'object', description: trans.__('What to show in it') }
        }
      }
    }
  });
  for (const tab of Object.keys(names)) {
    palette?.addItem({ command: CommandIds.openPanel, args: { tab }, category: CATEGORY });
  }
}

/** Running jobs and memory at the bottom of JupyterLab; Notebook 7 has no status bar. */
function addStatusItem(
  app: JupyterFrontEnd,
  statusBar: IStatusBar,
  settings: ISettings,
  trans: TranslationBundle
): StatusItem {
  const item = new StatusItem({
    trans,
    wanted: () => settings.statusBar,
    open: tab => void app.commands.execute(CommandIds.openPanel, { tab })
  });
  statusBar.registerStatusItem('mistudio:status', {
    item,
    align: 'right',
    rank: 50,
    isActive: () => item.isActive,
    activeStateChanged: item.activeChanged
  });
  return item;
}

/** Open the panels as a document beside the notebooks. */
function addMainArea(
  app: JupyterFrontEnd,
  newPanel: (id: string) => StudioPanel,
  restorer: ILayoutRestorer | null,
  trans: TranslationBundle
): void {
  const tracker = new WidgetTracker<MainAreaWidget<StudioPanel>>({ namespace: 'mistudio' });
  app.commands.addCommand(CommandIds.openInMainArea, {
    label: args => (args['isPalette'] ? trans.__('Open miStudio in a Tab') : 'miStudio'),
    caption: trans.__('Open datasets, models, extractions and jobs in a tab'),
    icon: mistudioIcon,
    execute: () => {
      let widget = tracker.currentWidget;
      if (!widget || widget.isDisposed) {
        const content = newPanel('mistudio-main');
        content.title.label = 'miStudio';
        widget = new MainAreaWidget({ content });
        widget.id = 'mistudio-main-area';
        app.shell.add(widget, 'main');
        void tracker.add(widget);
      }
      app.shell.activateById(widget.id);
    },
    describedBy: { args: { type: 'object', properties: {} } }
  });
  void restorer?.restore(tracker, {
    command: CommandIds.openInMainArea,
    name: () => 'mistudio-main'
  });
}

/** Open an extraction in the current notebook's kernel, chosen from a list if not given. */
function addSendToKernel(
  app: JupyterFrontEnd,
  sender: KernelSender,
  settings: ISettings,
  trans: TranslationBundle
): void {
  app.commands.addCommand(CommandIds.sendToKernel, {
    label: trans.__('Send Activations to the Kernel…'),
    caption: trans.__('Open the activations of an extraction in the current notebook'),
    icon: mistudioIcon,
    execute: async args => {
      try {
        const extraction = (args['extraction'] as string) || (await chooseExtraction(trans));
        if (extraction) {
          const variable = (args['variable'] as string) || settings.variable;
          await sender.send({ extraction, name: args['name'] as string | undefined, variable });
        }
      } catch (error) {
        await showErrorMessage('miStudio', error instanceof Error ? error : String(error));
      }
    },
    describedBy: {
      args: {
        type: 'object',
        properties: {
          extraction: { type: 'string', description: trans.__('Id of the extraction') },
          name: { type: 'string', description: trans.__('Its name, for a comment') },
          variable: { type: 'string', description: trans.__('The variable to assign') }
        }
      }
    }
  });
}

async function chooseExtraction(trans: TranslationBundle): Promise<string | null> {
  const { extractions } = await fetchJson<{ extractions: { id: string; name: string }[] }>(
    'extractions'
  );
  if (!extractions.length) {
    throw new Error(trans.__('There are no extractions yet. Make one in the miStudio panel.'));
  }
  const items = extractions.map(({ id, name }) => `${name} (${id})`);
  const result = await InputDialog.getItem({
    title: trans.__('Send activations to the kernel'),
    label: trans.__('Extraction'),
    items
  });
  const index = result.value === null ? -1 : items.indexOf(result.value);
  return result.button.accept ? (extractions[index]?.id ?? null) : null;
}

/** Apply the user's settings, now and whenever they change. */
async function followSettings(
  app: JupyterFrontEnd,
  registry: ISettingRegistry | null,
  sidebar: StudioPanel,
  settings: ISettings,
  status: StatusItem | null
): Promise<void> {
  const loaded = await registry?.load(PLUGIN_ID).catch((error: unknown) => {
    console.warn('miStudio runs with its default settings.', error);
  });
  if (!loaded) {
    return;
  }
  const apply = (): void => {
    const { variable, side, statusBar, notifyAfter } = loaded.composite as unknown as ISettings;
    Object.assign(settings, { variable, statusBar, notifyAfter });
    status?.refresh();
    if (side !== settings.side) {
      settings.side = side;
      app.shell.add(sidebar, side, { rank: 600, type: 'miStudio' });
    }
  };
  apply();
  loaded.changed.connect(apply);
}

export default plugin;
