/** What the server has, kept up to date: tables of records as signals. */

import { computed, signal } from '@preact/signals';
import type { Signal } from '@preact/signals';
import { toApiError } from './api';
import type { Api, ApiError } from './api';
import type { Estimated } from './extraction/useEstimate';
import { MonitorFeed } from './monitor/feed';
import type { Measured } from './monitor/types';
import { Table } from './table';
import { listTemplates } from './templates/api';
import type { Template } from './templates/types';
import type { Row } from './table';
import type { ConnectionState, EventStream, ServerEvent } from './events';
import type {
  Architecture,
  Dataset,
  DatasetRequest,
  DeletedMany,
  Extraction,
  ExtractionRequest,
  Job,
  Mended,
  Model,
  ModelRequest,
  System
} from './types';

/** How many runs of a page stay in view after their end. */
const KEPT_IN_VIEW = 3;

interface Loaded<T> {
  value: T | null;
  error: ApiError | null;
}

export class Store {
  readonly datasets = new Table<Dataset>();
  readonly models = new Table<Model>();
  readonly extractions = new Table<Extraction>();
  readonly jobs = new Table<Job>();
  /** Read when they are first looked at. */
  readonly templates = new Table<Template>();
  readonly system = signal<System | null>(null);
  readonly connection = signal<ConnectionState>('connecting');
  /** Extractions asked for on this page, newest first. */
  readonly started = signal<readonly string[]>([]);
  /** The form's last estimate, so that it is there at once when the form is shown again. */
  estimated: Estimated | null = null;
  readonly activeJobs = computed(() =>
    this.jobs.list.value.filter(job => job.state === 'queued' || job.state === 'running')
  );
  readonly monitor: MonitorFeed;
  private readonly architectures = new Map<string, Signal<Loaded<Architecture>>>();
  private users = 0;
  private stop: (() => void) | null = null;

  constructor(
    readonly api: Api,
    private readonly events: EventStream
  ) {
    this.monitor = new MonitorFeed(api);
  }

  /** Starts (once) to load and to listen; returns the function that lets go. */
  use(): () => void {
    if (++this.users === 1) {
      this.start();
    }
    let released = false;
    return () => {
      if (!released) {
        released = true;
        if (--this.users === 0) {
          this.stop?.();
          this.stop = null;
        }
      }
    };
  }

  private start(): void {
    // The lists are read after the socket is open, so that nothing falls between the two;
    // where the socket is slow or impossible the panels must not wait for it.
    let fresh = false;
    const first = (): void => {
      fresh = this.connection.value === 'connected';
      void this.refresh();
    };
    let patience: ReturnType<typeof setTimeout> | undefined = setTimeout(() => {
      patience = undefined;
      first();
    }, 250);
    const unsubscribe = this.events.subscribe({
      event: event => this.apply(event),
      reset: () => void this.refresh(),
      state: state => {
        this.connection.value = state;
        if (state === 'connected' && !fresh) {
          clearTimeout(patience);
          patience = undefined;
          first();
        }
      },
      failed: () => {
        if (patience === undefined) {
          void this.poll();
        }
      }
    });
    this.connection.value = this.events.state;
    if (this.connection.value === 'connected') {
      clearTimeout(patience);
      patience = undefined;
      first();
    }
    this.stop = () => {
      clearTimeout(patience);
      unsubscribe();
    };
  }

  /** Reads all lists again. */
  async refresh(): Promise<void> {
    await Promise.all([
      this.datasets.load(this.api.datasets),
      this.models.load(this.api.models),
      this.extractions.load(this.api.extractions),
      this.jobs.load(this.api.jobs),
      this.templates.loaded.peek() || this.templates.error.peek() ? this.loadTemplates() : null,
      this.refreshSystem()
    ]);
  }

  /** Without a socket: reads the jobs, and the rest only if the server is there at all. */
  private async poll(): Promise<void> {
    await this.jobs.load(this.api.jobs);
    if (this.jobs.error.value === null) {
      await Promise.all([
        this.datasets.load(this.api.datasets),
        this.models.load(this.api.models),
        this.extractions.load(this.api.extractions)
      ]);
    }
  }

  async refreshSystem(): Promise<void> {
    try {
      this.system.value = await this.api.system();
    } catch {
      // Only devices and free disk come from here; the lists show what is wrong.
      this.system.value = null;
    }
  }

  apply(event: ServerEvent): void {
    if (event.type === 'system') {
      this.monitor.take(event.payload as Measured);
      return;
    }
    const table = this.table(event.type);
    const payload = event.payload as { id?: string; deleted?: boolean } | null;
    if (!table || !payload || typeof payload.id !== 'string') {
      return;
    }
    const known = this.models.get(payload.id)?.fingerprint;
    if (payload.deleted) {
      table.remove(payload.id);
    } else {
      table.upsert(payload as Row);
    }
    if (event.type === 'model' && !payload.deleted) {
      const { state, fingerprint } = payload as Partial<Model>;
      // With other files it may be another model; what was read of the one before is not shown.
      this.reloadArchitecture(payload.id, state === 'ready' && fingerprint !== known);
    }
  }

  private table(type: string): Table<Row> | null {
    const tables: Record<string, unknown> = {
      dataset: this.datasets,
      model: this.models,
      extraction: this.extractions,
      job: this.jobs,
      template: this.templates
    };
    return (tables[type] as Table<Row> | undefined) ?? null;
  }

  // -- what people do: the answer's records are in the tables when these return

  async addDataset(body: DatasetRequest): Promise<Dataset> {
    const [datasets, jobs] = [this.datasets.now, this.jobs.now];
    const { dataset, job } = await this.api.addDataset(body);
    this.datasets.absorb(dataset, datasets);
    this.jobs.absorb(job, jobs);
    return dataset;
  }

  async addModel(body: ModelRequest): Promise<Model> {
    const [models, jobs] = [this.models.now, this.jobs.now];
    const { model, job } = await this.api.addModel(body);
    this.models.absorb(model, models);
    this.jobs.absorb(job, jobs);
    return model;
  }

  async extract(body: ExtractionRequest): Promise<Extraction> {
    const [extractions, jobs] = [this.extractions.now, this.jobs.now];
    const { extraction, job } = await this.api.extract(body);
    this.extractions.absorb(extraction, extractions);
    this.jobs.absorb(job, jobs);
    const before = this.started.peek().filter(id => id !== extraction.id);
    this.started.value = [extraction.id, ...before].slice(0, KEPT_IN_VIEW);
    return extraction;
  }

  async cancel(job: string): Promise<void> {
    const asked = this.jobs.now;
    this.jobs.absorb((await this.api.cancel(job)).job, asked);
  }

  async setPriority(job: string, priority: number): Promise<void> {
    const asked = this.jobs.now;
    this.jobs.absorb((await this.api.setPriority(job, priority)).job, asked);
  }

  async retry(job: string, mended?: Mended): Promise<void> {
    const asked = this.jobs.now;
    this.jobs.absorb((await this.api.retry(job, mended)).job, asked);
  }

  /** Deletes; returns the bytes that this freed. */
  async remove(noun: 'datasets' | 'models' | 'extractions' | 'jobs', id: string): Promise<number> {
    const answer = await this.api.remove(noun, id);
    answer.deleted.forEach(gone => this[noun].remove(gone));
    return answer.freed_bytes ?? 0;
  }

  async renameModel(id: string, name: string): Promise<void> {
    const asked = this.models.now;
    this.models.absorb(await this.api.renameModel(id, name), asked);
  }

  async loadTemplates(): Promise<void> {
    await this.templates.load(() => listTemplates(this.api));
  }

  /** Asks for a model in another format; what is there already is given back. */
  async makeVariant(id: string, format: string, fallback: boolean): Promise<void> {
    const [models, jobs] = [this.models.now, this.jobs.now];
    const { model, job } = await this.api.makeVariant(id, format, fallback);
    this.models.absorb(model, models);
    this.jobs.absorb(job, jobs);
  }

  /** Deletes many; what is in use stays and is told. */
  async removeModels(ids: string[]): Promise<DeletedMany> {
    const answer = await this.api.removeModels(ids);
    answer.deleted.forEach(id => this.models.remove(id));
    return answer;
  }

  /** A ready model's architecture, read once. */
  architecture(id: string): Signal<Loaded<Architecture>> {
    let entry = this.architectures.get(id);
    if (!entry) {
      entry = signal<Loaded<Architecture>>({ value: null, error: null });
      this.architectures.set(id, entry);
      this.reloadArchitecture(id);
    }
    return entry;
  }

  /** Reads an architecture again that is looked at but could not be read, or is of other files. */
  reloadArchitecture(id: string, changed = false): void {
    const entry = this.architectures.get(id);
    if (entry && (changed || entry.peek().value === null)) {
      this.api.architecture(id).then(
        value => (entry.value = { value, error: null }),
        (error: unknown) => (entry.value = { value: null, error: toApiError(error) })
      );
    }
  }
}
