import { Notification } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { fetchJson } from './bundle';
import { endOf, type IEndedJob } from './ended';
import { eventsUrl, type ServerEvent, sharedStream } from './panels/events';

/** What notifications need from the application. */
export interface INotifyOptions {
  trans: TranslationBundle;
  /** Jobs that took fewer seconds end in silence; 0 switches notifications off. */
  after: () => number;
  /** Opens one of the panels, with what to show in it. */
  open: (tab: string, selection?: Record<string, unknown>) => void;
  /** Opens an extraction in the notebook's kernel. */
  send: (extraction: string, name: string) => void;
}

/** Says when a job ends that took long; listens to the same socket as the panels. */
export async function notifyOfJobs(options: INotifyOptions): Promise<void> {
  const running = new Set<string>();
  try {
    const { jobs } = await fetchJson<{ jobs: IEndedJob[] }>('jobs');
    jobs.forEach(job => endOf(job, running, 0));
  } catch (error) {
    // Without the server half there is nothing to wait for; the panel says why.
    console.debug('miStudio tells of no jobs.', error);
    return;
  }
  const base = new URL(PageConfig.getBaseUrl(), window.location.href).href;
  sharedStream(eventsUrl(base, PageConfig.getToken() || null)).subscribe({
    event: ({ type, payload }: ServerEvent) => {
      const ended = type === 'job' ? endOf(payload, running, options.after()) : null;
      if (ended) {
        show(ended, options);
      }
    },
    // What ended while nobody listened is in the list of jobs.
    reset: () => running.clear(),
    state: () => undefined
  });
}

function show(job: IEndedJob, { trans, open, send }: INotifyOptions): void {
  const name = job.target?.name ?? job.kind;
  const target = job.target;
  if (job.state !== 'done') {
    const said = job.error ? `: ${job.error.message}` : '';
    Notification.error(trans.__('miStudio: %1 did not finish', name) + said, {
      autoClose: false,
      actions: [{ label: trans.__('Show jobs'), callback: () => open('jobs') }]
    });
  } else if (target?.type === 'extraction') {
    Notification.success(trans.__('miStudio: the activations of %1 are ready', name), {
      autoClose: 10_000,
      actions: [
        {
          label: trans.__('Look inside'),
          callback: () => open('activations', { extraction: target.id })
        },
        { label: trans.__('Send to kernel'), callback: () => send(target.id, name) }
      ]
    });
  } else {
    Notification.success(trans.__('miStudio: %1 is ready', name), { autoClose: 10_000 });
  }
}
