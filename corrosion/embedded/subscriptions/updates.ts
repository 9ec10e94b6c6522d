/** @module Updates of tables: tells which keys changed, without what they hold. */
import { randomUUID } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { Committed } from "../replication.ts";
import { unpackColumns } from "../store/pack.ts";
import type { Attachment, Listener, Sink, SubscriptionsLog, Updates, UpdatesOptions } from "./contract.ts";
import { notInSchema } from "./from-clause.ts";
import { errorLine, notifyLine } from "./lines.ts";

const BATCH_MS = 600;
const BATCH_KEYS = 1_000;
/** A stream with more events to write is closed. */
const BEHIND = 10_240;
/** Keys of which the last causal length is remembered. */
const REMEMBERED = 100_000;

/** The streams of `/v1/updates`: nothing is stored, a stream tells what happens while it is open. */
export function openUpdates({ tables, log, times }: UpdatesOptions): Updates {
  const feeds = new Map<string, Feed>();
  const forget = (feed: Feed): void => {
    if (feeds.get(feed.table) === feed) feeds.delete(feed.table);
  };
  return {
    follow(name) {
      const table = tables().find((known) => known.name === name);
      if (table === undefined) throw notInSchema(name);
      const feed = feeds.get(name) ?? new Feed(name, times?.batch ?? BATCH_MS, log, forget);
      feeds.set(name, feed);
      return feed.attachment();
    },
    committed({ touched }) {
      for (const row of touched) feeds.get(row.table)?.add(row);
    },
    close() {
      for (const feed of [...feeds.values()]) feed.end();
    },
  };
}

/** All streams of one table. */
class Feed {
  readonly table: string;
  readonly #id = randomUUID();
  readonly #batchMs: number;
  readonly #log: SubscriptionsLog;
  readonly #forget: (feed: Feed) => void;
  readonly #streams = new Set<Stream>();
  readonly #sent = new LRUCache<string, bigint>({ max: REMEMBERED });
  #waiting = new Map<string, Committed["touched"][number]>();
  #timer: NodeJS.Timeout | null = null;

  constructor(table: string, batchMs: number, log: SubscriptionsLog, forget: (feed: Feed) => void) {
    this.table = table;
    this.#batchMs = batchMs;
    this.#log = log;
    this.#forget = forget;
  }

  attachment(): Omit<Attachment, "hash"> {
    return {
      id: this.#id,
      follow: (sink) => {
        const stream = new Stream(sink, () => this.#leave(stream));
        this.#streams.add(stream);
        return stream;
      },
    };
  }

  add(row: Committed["touched"][number]): void {
    if (this.#streams.size === 0) return;
    const key = Buffer.from(row.pk).toString("latin1");
    const known = this.#waiting.get(key)?.cl ?? this.#sent.get(key);
    if (known !== undefined && row.cl < known) return;
    this.#waiting.set(key, row);
    if (this.#waiting.size >= BATCH_KEYS) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), this.#batchMs);
  }

  end(): void {
    for (const stream of [...this.#streams]) stream.end(null);
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const batch = [...this.#waiting];
    this.#waiting = new Map();
    const lines: string[] = [];
    for (const [key, { pk, cl }] of batch) {
      this.#sent.set(key, cl);
      lines.push(notifyLine(cl % 2n === 0n ? "delete" : "update", unpackColumns(pk)));
    }
    for (const stream of [...this.#streams]) stream.send(lines);
  }

  #leave(stream: Stream): void {
    this.#streams.delete(stream);
    if (this.#streams.size > 0) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#waiting.clear();
    this.#forget(this);
    this.#log.info("updates have no reader any more", { table: this.table, id: this.#id });
  }
}

class Stream implements Listener {
  readonly #sink: Sink;
  readonly #left: () => void;
  #queue: string[] = [];
  #writing = false;
  #over = false;

  constructor(sink: Sink, left: () => void) {
    this.#sink = sink;
    this.#left = left;
  }

  send(lines: readonly string[]): void {
    this.#queue.push(...lines);
    if (this.#queue.length > BEHIND) this.end(null);
    else if (!this.#writing) this.#drain().catch(() => this.close());
  }

  end(message: string | null): void {
    if (this.#over) return;
    this.close();
    if (message !== null) this.#sink.write(errorLine(message)).catch(() => undefined);
    this.#sink.end();
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#queue = [];
    this.#left();
  }

  async #drain(): Promise<void> {
    this.#writing = true;
    while (this.#queue.length > 0) {
      const lines = this.#queue.join("");
      this.#queue = [];
      await this.#sink.write(lines);
    }
    this.#writing = false;
  }
}
