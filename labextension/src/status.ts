import { PageConfig } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { type ISignal, Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';

import { fetchJson } from './bundle';
import { statusText, type IDevice, type IJob } from './machine';
import { mistudioIcon } from './icon';
import { eventsUrl, type ServerEvent, sharedStream } from './panels/events';

/** What the item needs from the application. */
export interface IStatusOptions {
  trans: TranslationBundle;
  /** Whether the user wants the item. */
  wanted: () => boolean;
  /** Opens one of the panels. */
  open: (tab: string) => void;
}

/** Running jobs and memory in the status bar; it listens to the same socket as the panels. */
export class StatusItem extends Widget {
  constructor(private readonly options: IStatusOptions) {
    super({ node: document.createElement('button') });
    this.addClass('jp-mistudio-status');
    this.addClass('jp-StatusBar-TextItem');
    this.node.setAttribute('type', 'button');
    this.connected(true);
    this.node.addEventListener('click', () => options.open(this.running() ? 'jobs' : 'monitor'));
    mistudioIcon.element({ container: this.icon, height: '14px', width: '14px' });
    this.node.append(this.icon, this.label);
    void this.listen();
  }

  /** Whether there is something to show that the user wants to see. */
  get isActive(): boolean {
    return this.text !== '' && this.options.wanted();
  }

  /** Emitted when {@link isActive} or the text may have changed. */
  get activeChanged(): ISignal<this, void> {
    return this.changed;
  }

  /** Show what is known now. */
  refresh(): void {
    this.text = statusText([...this.jobs.values()], this.devices, this.options.trans);
    this.label.textContent = this.text;
    this.changed.emit();
  }

  dispose(): void {
    this.stop?.();
    super.dispose();
  }

  private async listen(): Promise<void> {
    try {
      await this.read();
    } catch (error) {
      // Without the server half there is nothing to show; the panel says why.
      console.debug('miStudio shows nothing in the status bar.', error);
      return;
    }
    if (this.isDisposed) {
      return;
    }
    const base = new URL(PageConfig.getBaseUrl(), window.location.href).href;
    this.stop = sharedStream(eventsUrl(base, PageConfig.getToken() || null)).subscribe({
      event: event => this.take(event),
      reset: () => void this.read().catch(() => undefined),
      state: state => this.connected(state === 'connected')
    });
  }

  /** Tell apart what is known now from what was last known. */
  private connected(yes: boolean): void {
    const { trans } = this.options;
    this.node.classList.toggle('jp-mistudio-mod-stale', !yes);
    this.node.title = yes
      ? trans.__('miStudio: jobs that run, memory in use')
      : trans.__('miStudio: the server does not answer; this is what it said last');
  }

  private async read(): Promise<void> {
    const { jobs } = await fetchJson<{ jobs: IJob[] }>('jobs');
    this.jobs = new Map(jobs.map(job => [job.id, job]));
    this.refresh();
  }

  private take({ type, payload }: ServerEvent): void {
    if (type === 'system') {
      this.devices = (payload as { devices: IDevice[] }).devices;
    } else if (type === 'job') {
      const job = payload as IJob & { deleted?: boolean };
      if (job.deleted) {
        this.jobs.delete(job.id);
      } else {
        this.jobs.set(job.id, job);
      }
    } else {
      return;
    }
    this.refresh();
  }

  private running(): boolean {
    return [...this.jobs.values()].some(job => job.state === 'running' || job.state === 'queued');
  }

  private readonly icon = document.createElement('span');
  private readonly label = document.createElement('span');
  private readonly changed = new Signal<this, void>(this);
  private jobs = new Map<string, IJob>();
  private devices: IDevice[] = [];
  private text = '';
  private stop: (() => void) | null = null;
}
