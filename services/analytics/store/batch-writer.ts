/** @module What was recorded on its way to the file: written in batches, kept while that fails. */
import type { ServiceBroker } from "moleculer";
import type { Recorded } from "../contract.ts";
import type { Batch } from "./write.ts";

export interface BatchWriterOptions {
  readonly write: (batch: Batch) => Promise<void>;
  /** Present time in microseconds since 1970. */
  readonly clock: () => number;
  readonly logger: ServiceBroker["logger"];
  /** Between the first row of a batch and its write. */
  readonly intervalMs: number;
  /** Between a write that failed and the next. */
  readonly retryMs: number;
  /** Rows that wait at most; those that come when there are more are lost. */
  readonly capacity: number;
}

type Pending = { -readonly [Key in keyof Batch]: Batch[Key][number][] };

export class BatchWriter {
  readonly #options: BatchWriterOptions;
  #pending = empty();
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();
  #failing = false;
  #lost = 0;

  constructor(options: BatchWriterOptions) {
    this.#options = options;
  }

  /** Returns how many rows were taken; it takes all of them or none. */
  add({ events = [], metrics = [], snapshots = [], experiments = [] }: Recorded): number {
    const count = events.length + metrics.length + snapshots.length + experiments.length;
    if (size(this.#pending) + count > this.#options.capacity) {
      if (this.#lost === 0)
        this.#options.logger.error("rows of a run are lost, for their file takes none", { count });
      this.#lost += count;
      return 0;
    }
    const inserted_at = this.#options.clock();
    for (const event of events) this.#pending.events.push({ ...event, inserted_at });
    this.#pending.metrics.push(...metrics);
    this.#pending.snapshots.push(...snapshots);
    this.#pending.experiments.push(...experiments);
    if (count > 0) this.#later(this.#failing ? this.#options.retryMs : this.#options.intervalMs);
    return count;
  }

  /** Resolves when all that was added before is in the file. Throws what the write throws; the rows are kept. */
  flush(): Promise<void> {
    this.#writing = this.#writing.catch(() => undefined).then(() => this.#write());
    return this.#writing;
  }

  /** Writes what there is, and nothing any more. Throws as `flush`. */
  async stop(): Promise<void> {
    try {
      await this.flush();
    } finally {
      this.#cancel();
    }
  }

  #later(ms: number): void {
    // Who fails has said so in the log.
    this.#timer ??= setTimeout(() => void this.flush().catch(() => undefined), ms);
  }

  #cancel(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #write(): Promise<void> {
    this.#cancel();
    const batch = this.#pending;
    if (size(batch) === 0) return;
    this.#pending = empty();
    try {
      await this.#options.write(batch);
      if (this.#failing)
        this.#options.logger.info("the analytics file takes rows again", { lost: this.#lost });
      this.#failing = false;
      this.#lost = 0;
    } catch (error) {
      this.#pending = joined(batch, this.#pending);
      if (!this.#failing) {
        this.#options.logger.error("the analytics file takes no rows; they are kept, and tried again", {
          rows: size(this.#pending),
          error: String(error),
        });
      }
      this.#failing = true;
      this.#later(this.#options.retryMs);
      throw error;
    }
  }
}

function empty(): Pending {
  return { events: [], metrics: [], snapshots: [], experiments: [] };
}

function size({ events, experiments, metrics, snapshots }: Batch): number {
  return events.length + experiments.length + metrics.length + snapshots.length;
}

function joined(a: Pending, b: Pending): Pending {
  return {
    events: a.events.concat(b.events),
    metrics: a.metrics.concat(b.metrics),
    snapshots: a.snapshots.concat(b.snapshots),
    experiments: a.experiments.concat(b.experiments),
  };
}
