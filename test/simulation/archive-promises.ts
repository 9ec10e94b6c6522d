/** @module What the archive promises, held against the reference: nothing skipped, nothing lost, nothing twice. */
import type { ArchiveBatch } from "../../services/conversations/contract.ts";
import type { ArchiveModel } from "./archive-model.ts";
import type { LogModel } from "./log-model.ts";
import { must, type NaiveGroup, type NaiveMessage } from "./naive-group.ts";

interface Placed {
  readonly session: string;
  readonly message: NaiveMessage;
}

export class ArchivePromises {
  readonly #archive: ArchiveModel;
  readonly #log: LogModel;
  readonly #reference: NaiveGroup;
  /** Every message that was ever decided, in the order of the log. */
  readonly #decided: Placed[] = [];
  /** So many of them are in the archive. */
  #covered = 0;
  #watermark = 0;

  constructor(archive: ArchiveModel, log: LogModel, reference: NaiveGroup) {
    this.#archive = archive;
    this.#log = log;
    this.#reference = reference;
  }

  /** The log took a message. */
  decided(session: string): void {
    this.#decided.push({ session, message: this.#reference.sessions.get(session)!.messages.at(-1)! });
  }

  /** The archive took a batch. */
  written({ messages }: ArchiveBatch): void {
    for (const row of messages) {
      const message = this.#reference.sessions.get(row.session)?.messages[row.seq - 1];
      const same =
        message !== undefined &&
        message.id === row.id &&
        message.at === row.insertedAt &&
        (message.key ?? null) === row.key;
      must(same, () => `the archive is given ${row.id} as ${row.session}/${row.seq}, not what was decided`);
    }
    const { watermark } = this.#archive;
    must(watermark >= this.#watermark, () => `the watermark fell from ${this.#watermark} to ${watermark}`);
    must(
      watermark <= this.#log.last,
      () => `the watermark is ${watermark}, the log ends at ${this.#log.last}`,
    );
    if (watermark > this.#watermark) this.covers(watermark, "the watermark");
    this.#watermark = watermark;
  }

  /** `who` says that everything up to `index` is archived: messages and headers. */
  covers(index: number, who: string): void {
    for (; this.#covered < this.#decided.length; this.#covered++) {
      const { session, message } = this.#decided[this.#covered]!;
      if (message.index > index) break;
      must(
        this.#archive.message(session, message.seq)?.id === message.id,
        () =>
          `${who} says ${index}, and message ${session}/${message.seq} of ${message.index} is not archived`,
      );
    }
    for (const [id, session] of this.#reference.sessions) {
      if (session.changed > index) continue;
      const row = this.#archive.sessions.get(id);
      const same =
        row !== undefined &&
        row.lastSeq === session.messages.length &&
        (row.status === "archived") === session.archived &&
        this.#archive.cursor(id) === session.cursor;
      must(same, () => `${who} says ${index}, and session ${id} of ${session.changed} is not archived`);
    }
  }

  /** The log took word of a snapshot. */
  snapshotted(index: number): void {
    must(
      (this.#archive.snapshots()[0] ?? 0) >= index,
      () => `snapshot ${index} is in the log and not stored`,
    );
  }

  /** Somebody drops what the log holds below `before`. */
  truncates(before: number): void {
    this.covers(before - 1, "who truncates the log");
    must(
      (this.#archive.snapshots()[0] ?? 0) >= before - 1,
      () => `the log is to begin at ${before}, and no snapshot reaches it`,
    );
  }

  /** Everything that was decided is in the archive or in the log, and when `all`, in the archive. */
  finish(all: boolean): void {
    for (const { session, message } of this.#decided) {
      const archived = this.#archive.message(session, message.seq);
      must(
        archived ? archived.id === message.id : message.index >= this.#log.first && !all,
        () => `message ${session}/${message.seq} of ${message.index} is neither archived nor in the log`,
      );
    }
    if (all)
      this.covers(Math.max(0, ...[...this.#reference.sessions.values()].map((s) => s.changed)), "the end");
  }
}
