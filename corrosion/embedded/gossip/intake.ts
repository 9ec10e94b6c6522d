/** @module What was received and waits to be merged: one queue for all peers, in the order of arrival. */
import type { Chunk, Received, Replication } from "../replication.ts";
import type { Via } from "./contract.ts";

/** Chunks that are merged in one call. */
const AT_ONCE = 512;

interface Chunks {
  readonly kind: "chunks";
  readonly via: Via;
  readonly chunks: readonly Chunk[];
  /** Called when they are merged, or could not be. */
  readonly over: () => void;
}

interface Task {
  readonly kind: "task";
  readonly run: () => Promise<void>;
}

export interface IntakeOptions {
  readonly replication: Pick<Replication, "receive">;
  readonly onReceived: (chunk: Chunk, received: Received, via: Via) => void;
  /** Merging failed as a whole, or a task did; these chunks are lost and will be asked for. */
  readonly onTrouble: (error: unknown) => void;
}

export class Intake {
  readonly #options: IntakeOptions;
  #queue: (Chunks | Task)[] = [];
  #changes = 0;
  #running: Promise<void> | null = null;
  #stopped = false;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Changes that wait or are being merged. */
  get changes(): number {
    return this.#changes;
  }

  get idle(): boolean {
    return this.#running === null;
  }

  put(via: Via, chunks: readonly Chunk[], over: () => void): void {
    if (this.#stopped) return;
    this.#changes += changesOf(chunks);
    this.#queue.push({ kind: "chunks", via, chunks, over });
    this.#start();
  }

  /** Runs the task once everything that arrived before is merged. */
  run(task: () => Promise<void>): void {
    if (this.#stopped) return;
    this.#queue.push({ kind: "task", run: task });
    this.#start();
  }

  /** Takes nothing more; resolves when what is under way is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#queue = [];
    await this.#running;
  }

  #start(): void {
    this.#running ??= this.#work().finally(() => {
      this.#running = null;
      // What came after the last look into the queue found it running still.
      if (this.#queue.length > 0) this.#start();
    });
  }

  async #work(): Promise<void> {
    // Lets what arrives in the same breath be merged in one call.
    await null;
    while (this.#queue.length > 0) {
      const items = this.#take();
      try {
        if (items[0]?.kind === "task") await items[0].run();
        else await this.#merge(items.filter((item) => item.kind === "chunks"));
      } catch (error) {
        if (!this.#stopped) this.#options.onTrouble(error);
      }
    }
  }

  /** The next task, or all chunks in front of it, up to a limit. */
  #take(): readonly (Chunks | Task)[] {
    let count = 0;
    let end = 0;
    for (const item of this.#queue) {
      if (item.kind === "task" || count >= AT_ONCE) break;
      count += item.chunks.length;
      end++;
    }
    return this.#queue.splice(0, Math.max(1, end));
  }

  async #merge(items: readonly Chunks[]): Promise<void> {
    const chunks = items.flatMap((item) => item.chunks);
    try {
      const received = await this.#options.replication.receive(chunks);
      if (this.#stopped) return;
      let i = 0;
      for (const { via, chunks: some } of items) {
        for (const chunk of some) {
          const verdict = received[i++];
          if (verdict) this.#options.onReceived(chunk, verdict, via);
        }
      }
    } finally {
      this.#changes -= changesOf(chunks);
      for (const { over } of items) over();
    }
  }
}

export function changesOf(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, { changes }) => sum + changes.length, 0);
}
