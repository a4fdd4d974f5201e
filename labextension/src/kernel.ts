import { type INotebookTracker, NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { TranslationBundle } from '@jupyterlab/translation';

import { handleSource, type IHandleRequest, isVariable } from './handle';

/** Inserts and runs cells in the notebook that the user works in. */
export class KernelSender {
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly tracker: INotebookTracker | null,
    private readonly trans: TranslationBundle
  ) {}

  /**
   * Open an extraction's handle in the current notebook, or in a new one.
   *
   * @throws Error with a message for the user if there is no Python notebook
   * to put it in, or if the cell failed.
   */
  async send(request: IHandleRequest): Promise<void> {
    if (!isVariable(request.variable)) {
      throw new Error(this.trans.__('"%1" is not a Python variable name.', request.variable));
    }
    const panel = this.tracker?.currentWidget ?? (await this.newNotebook());
    if (!panel) {
      throw new Error(this.trans.__('Open a notebook, then send the activations to it.'));
    }
    await panel.revealed;
    await panel.sessionContext.ready;
    await this.requirePython(panel);
    this.app.shell.activateById(panel.id);
    if (!(await runBelow(panel, handleSource(request)))) {
      throw new Error(this.trans.__('The cell failed; its output says why.'));
    }
  }

  private async newNotebook(): Promise<NotebookPanel | null> {
    const command = 'notebook:create-new';
    if (!this.tracker || !this.app.commands.hasCommand(command)) {
      return null;
    }
    const { kernelspecs } = this.app.serviceManager;
    await kernelspecs.ready;
    await this.app.commands.execute(command, { kernelName: kernelspecs.specs?.default });
    return this.tracker.currentWidget;
  }

  private async requirePython(panel: NotebookPanel): Promise<void> {
    const kernel = panel.sessionContext.session?.kernel;
    if (!kernel) {
      throw new Error(this.trans.__('The notebook has no kernel. Choose one and try again.'));
    }
    const language = (await kernel.info).language_info.name;
    if (language !== 'python') {
      throw new Error(
        this.trans.__('The notebook runs %1. Activations open in a Python kernel.', language)
      );
    }
  }
}

/** Run code in a new cell below the active one, or in that one if it is empty. */
async function runBelow(panel: NotebookPanel, source: string): Promise<boolean> {
  const notebook = panel.content;
  const active = notebook.activeCell;
  if (active?.model.type !== 'code' || active.model.sharedModel.getSource().trim() !== '') {
    NotebookActions.insertBelow(notebook);
  }
  const cell = notebook.activeCell;
  if (!cell) {
    return false;
  }
  cell.model.sharedModel.setSource(source);
  notebook.deselectAll();
  const done = NotebookActions.run(notebook, panel.sessionContext);
  await notebook.scrollToItem(notebook.activeCellIndex, 'smart');
  return done;
}
