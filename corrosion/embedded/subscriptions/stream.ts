/** @module One reader of a subscription: brings it up to date, then follows, at the pace of its stream. */
import { setImmediate } from "node:timers/promises";
import type { Listener, Sink, StartAt, SubscriptionsLog } from "./contract.ts";
import { changeLine, columnsLine, eoqLine, errorLine, rowLine } from "./lines.ts";
import type { StoredChange } from "./state-file.ts";
import type { Reader, Subscription } from "./subscription.ts";

/** Rows or changes in one write. */
const PAGE = 500;
/** While it catches up, a reader may hold up a write for this time and this many changes. */
const CATCH_UP_CHANGES = 1_024;
const CATCH_UP_PATIENCE_MS = 1_000;
/** A reader that follows and is further behind is dropped. */
const LIVE_CHANGES = 10_240;

/** The stream is over: closed by its reader, or ended here. */
class Over extends Error {
  override name = "Over";
}

export class SubscriptionStream implements Reader, Listener {
  readonly #subscription: Subscription;
  readonly #sink: Sink;
  readonly #log: SubscriptionsLog;
  #over = false;
  #sent = 0;
  #live = false;
  #writing = false;
  /** Changes that came during the write that is under way. */
  #held = 0;
  #patience: NodeJS.Timeout | null = null;
  #wake: (() => void) | null = null;

  /** Joins the subscription at once, so that from now on nothing is missed. */
  constructor(subscription: Subscription, sink: Sink, at: StartAt, log: SubscriptionsLog) {
    this.#subscription = subscription;
    this.#sink = sink;
    this.#log = log;
    subscription.join(this);
    this.#run(at).catch((error: unknown) => {
      if (error instanceof Over) return;
      this.#log.warn("subscription stream failed", { id: subscription.identity.id, error });
      this.ended(error instanceof Error ? error.message : String(error));
    });
  }

  changed(count: number): void {
    this.#wake?.();
    if (!this.#writing) return;
    this.#held += count;
    if (this.#live) {
      if (this.#subscription.last - this.#sent > LIVE_CHANGES) this.ended(null);
    } else if (this.#held > CATCH_UP_CHANGES) {
      this.#patience ??= setTimeout(() => this.ended(tooSlow()), CATCH_UP_PATIENCE_MS);
    }
  }

  ended(message: string | null): void {
    if (this.#over) return;
    this.close();
    // Nobody waits for this line: the stream ends behind it.
    if (message !== null) this.#sink.write(errorLine(message)).catch(() => undefined);
    this.#sink.end();
  }

  close(): void {
    this.#over = true;
    if (this.#patience !== null) clearTimeout(this.#patience);
    this.#subscription.leave(this);
    this.#wake?.();
  }

  async #run(at: StartAt): Promise<void> {
    if (this.#over) return;
    if (wantsRows(at)) await this.#write(columnsLine(this.#subscription.identity.columns));
    while (!this.#subscription.ready) await this.#change();
    if (!(await this.#catchUp(at))) return;
    while (!this.#over) {
      const changes = this.#subscription.changesAfter(this.#sent, PAGE);
      if (changes === null) return this.ended(this.#live ? null : tooSlow());
      if (changes.length === 0) {
        this.#live = true;
        await this.#change();
      } else {
        await this.#write(changes.map(lineOf).join(""));
        this.#sent = changes.at(-1)!.changeId;
      }
    }
  }

  /** Sends what lies before the changes to come. Returns whether the stream goes on. */
  async #catchUp(at: StartAt): Promise<boolean> {
    const { from } = at;
    const { last } = this.#subscription;
    this.#sent = last;
    if (from === null || from === 0n) {
      if (wantsRows(at)) await this.#sendRows();
      return true;
    }
    if (from >= BigInt(last)) return true;
    const oldest = this.#subscription.oldestChange();
    this.#sent = Number(from);
    if (this.#sent + 1 >= oldest) return true;
    this.ended(`subscription already deleted older changes, min change id: ${oldest}`);
    return false;
  }

  async #sendRows(): Promise<void> {
    const began = performance.now();
    const snapshot = this.#subscription.snapshot();
    try {
      let after = 0;
      for (let full = true; full; ) {
        const page = snapshot.rows(after, PAGE);
        full = page.length === PAGE;
        after = page.at(-1)?.id ?? after;
        if (page.length > 0) await this.#write(page.map((row) => rowLine(row.id, row.cells)).join(""));
      }
      this.#sent = snapshot.lastChange;
      await this.#write(eoqLine((performance.now() - began) / 1_000, snapshot.lastChange));
    } finally {
      snapshot.close();
    }
  }

  async #write(lines: string): Promise<void> {
    if (this.#over) throw new Over();
    this.#writing = true;
    try {
      await this.#sink.write(lines);
    } catch (error) {
      this.close();
      throw new Over("the stream is gone", { cause: error });
    } finally {
      this.#writing = false;
      this.#held = 0;
      if (this.#patience !== null) clearTimeout(this.#patience);
      this.#patience = null;
    }
    // A stream with room takes page after page at once: others want their turn in between.
    await setImmediate();
    if (this.#over) throw new Over();
  }

  /** Resolves when something has happened since the call. */
  #change(): Promise<void> {
    if (this.#over) throw new Over();
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = null;
        resolve();
      };
    });
  }
}

function wantsRows({ from, skipRows }: StartAt): boolean {
  return !skipRows && (from === null || from === 0n);
}

function lineOf(change: StoredChange): string {
  return changeLine(change.type, change.id, change.cells, change.changeId);
}

function tooSlow(): string {
  return `catching up too slowly, gave up after buffering ${CATCH_UP_CHANGES} events`;
}
