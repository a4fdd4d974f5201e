import type { TranslationBundle } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { HostModel, mount } from './afm';
import { BundleError, loadPanels } from './bundle';
import type { IHandleRequest } from './handle';
import { mistudioIcon } from './icon';
import { problemNotice } from './notice';
import { VERSION } from './version';

/** What a hosted panel needs from the application. */
export interface IPanelOptions {
  /** Id of the widget; also the key of its stored state. */
  id: string;
  trans: TranslationBundle;
  /** Opens an extraction in a kernel; rejects with a message for the user. */
  send: (request: IHandleRequest) => Promise<void>;
  /** Name of the variable for a handle. */
  variable: () => string;
}

/** All of miStudio's panels, in a sidebar or in the main area. */
export class StudioPanel extends Widget {
  constructor(private readonly options: IPanelOptions) {
    super();
    this.id = options.id;
    this.title.icon = mistudioIcon;
    this.title.caption = 'miStudio';
    this.addClass('jp-mistudio-host');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'miStudio');
    this.model = new HostModel(
      { panel: 'studio', base_url: null, server_token: null, page_version: VERSION },
      options.id,
      c => this.onMessage(c)
    );
  }

  /** Settles when the panels are on the screen, or the reason why they are not. */
  get shown(): Promise<void> {
    return this.loading ?? Promise.resolve();
  }

  /** Show one of the panels, e.g. `activations`, with something chosen in it. */
  select(tab: string, chosen?: Record<string, unknown>): void {
    const before = asRecord(this.model.get('selection'));
    const part = chosen ? { [tab]: { ...asRecord(before[tab]), ...chosen } } : {};
    this.model.set('selection', { ...before, ...part, tab });
    this.model.save_changes();
  }

  dispose(): void {
    void this.unmount?.();
    this.unmount = null;
    super.dispose();
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.loadOnce();
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.loadOnce();
  }

  /** A command or a shortcut leads here: the keyboard goes on from the tab that is shown. */
  protected onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    void this.shown.then(() =>
      this.node.querySelector<HTMLElement>('[role=tab][aria-selected=true]')?.focus()
    );
  }

  /** Load when the user first looks, so that starting up costs nothing. */
  private loadOnce(): void {
    if (this.isVisible && !this.loading) {
      this.loading = this.load();
    }
  }

  private async load(): Promise<void> {
    const el = document.createElement('div');
    el.className = 'jp-mistudio-mount';
    try {
      const module = await loadPanels();
      if (this.isDisposed) {
        return;
      }
      this.node.replaceChildren(el);
      this.unmount = await mount(module, this.model, el);
    } catch (error) {
      this.showProblem(error);
    }
  }

  private showProblem(error: unknown): void {
    const problem = error instanceof BundleError ? error.problem : 'broken-bundle';
    if (problem === 'broken-bundle') {
      console.error('miStudio could not show its panels.', error);
    }
    const retry = (): void => {
      this.node.replaceChildren();
      this.loading = this.load();
    };
    this.node.replaceChildren(problemNotice(problem, this.options.trans, retry));
  }

  private onMessage(content: unknown): void {
    const message = content as {
      type?: string;
      extraction?: string;
      name?: string;
      variable?: string;
    };
    if (message.type !== 'open-in-kernel' || !message.extraction) {
      return;
    }
    const variable = this.options.variable();
    const { extraction, name } = message;
    this.options.send({ extraction, name, variable }).then(
      () => this.model.deliver({ type: 'opened-in-kernel', extraction, variable }),
      (error: unknown) =>
        this.model.deliver({
          type: 'opened-in-kernel',
          extraction,
          variable,
          error: error instanceof Error ? error.message : String(error)
        })
    );
  }

  private readonly model: HostModel;
  private loading: Promise<void> | null = null;
  private unmount: (() => Promise<void>) | null = null;
}

function asRecord(value: unknown): Record<string, unknown> {
  return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {};
}
