/** @module All subscriptions of one agent: found by text or id, restored at start, deleted when nobody listens. */

import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { hyphenated } from "../../../lib/actor-ids.ts";
import { makeFolder } from "../../../lib/folders.ts";
import type { Statement } from "../values.ts";
import {
  type Attachment,
  type StartAt,
  type SubscriptionInfo,
  SubscriptionRefused,
  type Subscriptions,
  type SubscriptionsOptions,
  type SubscriptionTimes,
} from "./contract.ts";
import { expand } from "./expansion.ts";
import { type Followed, follow } from "./followed.ts";
import { seahash } from "./seahash.ts";
import type { Aggregates } from "./select.ts";
import { createState, reopenState, type StateFile } from "./state-file.ts";
import { SubscriptionStream } from "./stream.ts";
import { Subscription } from "./subscription.ts";
import { aggregatesOf } from "./unfollowable.ts";

const DEFAULT_TIMES: Required<SubscriptionTimes> = {
  batch: 600,
  purge: 300_000,
  idle: 600_000,
  query: 15_000,
};

/** Changes that a purge leaves. */
const KEPT_CHANGES = 500;

/**
 * Takes up the subscriptions that a clean stop left in the folder and removes what a crash left there.
 * Throws when the folder cannot be used.
 */
export function openSubscriptions(options: SubscriptionsOptions): Subscriptions {
  const registry = new Registry(options);
  registry.restore();
  return registry;
}

class Registry implements Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #times: Required<SubscriptionTimes>;
  readonly #aggregates: Aggregates;
  readonly #byId = new Map<string, Subscription>();
  readonly #bySql = new Map<string, Subscription>();
  readonly #ending = new Set<Promise<void>>();
  readonly #purging: NodeJS.Timeout;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
    this.#times = { ...DEFAULT_TIMES, ...options.times };
    this.#aggregates = aggregatesOf(options.reader);
    makeFolder(options.folder);
    this.#purging = setInterval(() => {
      for (const subscription of this.#byId.values()) this.#purge(subscription);
    }, this.#times.purge);
  }

  /** What cannot be dropped now is dropped the next time. */
  #purge(subscription: Subscription): void {
    try {
      subscription.purge(KEPT_CHANGES);
    } catch (error) {
      const { id } = subscription.identity;
      this.#options.log.warn("old changes of a subscription were not dropped", { id, error: String(error) });
    }
  }

  subscribe(statement: Statement, at: StartAt): Attachment {
    const sql = expand(this.#options.reader, statement);
    const existing = this.#bySql.get(sql);
    if (existing !== undefined) return this.#attachment(existing, at);
    const followed = this.#follow(sql);
    if (at.from !== null) {
      throw new SubscriptionRefused(
        400,
        "a `from` query param was supplied, but no existing subscription found",
      );
    }
    const id = randomUUID();
    const identity = { id, hash: seahash(sql), sql, columns: followed.columns };
    const path = join(this.#options.folder, id, "sub.sqlite");
    const state = createState(path, identity, followed.sources.length);
    this.#options.log.info("subscription created", { id, sql });
    return this.#attachment(this.#add(state, followed, false), at);
  }

  attach(id: string, at: StartAt): Attachment {
    const subscription = this.#byId.get(spelled(id));
    if (subscription === undefined) {
      throw new SubscriptionRefused(404, `could not find subscription with id ${spelled(id)}`);
    }
    return this.#attachment(subscription, at);
  }

  committed(committed: Parameters<Subscriptions["committed"]>[0]): void {
    for (const subscription of this.#byId.values()) subscription.committed(committed);
  }

  list(): ReturnType<Subscriptions["list"]> {
    return [...this.#byId.values()].map(({ identity: { id, hash, sql }, cost }) => ({
      id,
      hash,
      sql,
      ms_per_sec_cost: cost.perSecond(),
    }));
  }

  info(which: Parameters<Subscriptions["info"]>[0]): SubscriptionInfo {
    const subscription =
      "id" in which
        ? this.#byId.get(spelled(which.id))
        : [...this.#byId.values()].find(({ identity }) => identity.hash === which.hash.toLowerCase());
    if (subscription === undefined) {
      throw new SubscriptionRefused(404, "unknown subscription hash or id");
    }
    const { identity, followed, path, last, cost } = subscription;
    return {
      id: identity.id,
      hash: identity.hash,
      path,
      last_change_id: last,
      original_query: identity.sql,
      statements: [Object.fromEntries(followed.sources.map(({ table }) => [table.name, followed.whole]))],
      ms_per_sec_cost: cost.perSecond(),
    };
  }

  renew(): void {
    this.#options.log.warn("commits may have been missed: all subscriptions start anew");
    this.#endAll(false);
  }

  async close({ clean }: { clean: boolean }): Promise<void> {
    clearInterval(this.#purging);
    this.#endAll(clean);
    await Promise.all(this.#ending);
  }

  #endAll(clean: boolean): void {
    for (const subscription of [...this.#byId.values()]) this.#end(subscription, { clean, message: null });
  }

  restore(): void {
    const { folder, log } = this.#options;
    for (const id of readdirSync(folder)) {
      const path = join(folder, id, "sub.sqlite");
      try {
        const state = existsSync(path) ? reopenState(path) : null;
        if (state !== null && this.#takeUp(state)) continue;
        log.info("subscription of an unclean stop removed", { id });
      } catch (error) {
        log.warn("subscription cannot be restored, removed", { id, error });
      }
      rmSync(join(folder, id), { recursive: true, force: true });
    }
  }

  /** Returns whether its statement still means the same. */
  #takeUp(state: StateFile): boolean {
    try {
      const followed = this.#follow(state.identity.sql);
      if (followed.columns.join("\0") === state.identity.columns.join("\0")) {
        this.#add(state, followed, true);
        return true;
      }
      this.#options.log.info("subscription has other columns now", { id: state.identity.id });
    } catch (error) {
      if (!(error instanceof SubscriptionRefused)) throw error;
      this.#options.log.info("subscription cannot be followed any more", {
        id: state.identity.id,
        error: error.message,
      });
    }
    state.close(false);
    return false;
  }

  #follow(sql: string): Followed {
    const { reader, tables } = this.#options;
    return follow(reader, tables(), this.#aggregates, sql);
  }

  #add(state: StateFile, followed: Followed, restored: boolean): Subscription {
    const { query, log } = this.#options;
    const subscription: Subscription = new Subscription({
      state,
      followed,
      query,
      times: this.#times,
      log,
      restored,
      over: (reason) => {
        log.info("subscription deleted", { id: state.identity.id, reason });
        this.#end(subscription, { clean: false, message: null });
      },
    });
    this.#byId.set(state.identity.id, subscription);
    this.#bySql.set(state.identity.sql, subscription);
    return subscription;
  }

  /** Forgets it at once; its files go, unless it could be left clean, when its work has ended. */
  #end(subscription: Subscription, how: { clean: boolean; message: string | null }): void {
    const { id, sql } = subscription.identity;
    this.#byId.delete(id);
    this.#bySql.delete(sql);
    const ending = subscription
      .stop(how)
      .then((clean) => {
        if (!clean) rmSync(join(this.#options.folder, id), { recursive: true, force: true });
      })
      .catch((error: unknown) => this.#options.log.error("subscription cannot be ended", { id, error }))
      .finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  #attachment(subscription: Subscription, at: StartAt): Attachment {
    const { id, hash } = subscription.identity;
    return {
      id,
      hash,
      follow: (sink) => new SubscriptionStream(subscription, sink, at, this.#options.log),
    };
  }
}

/** A UUID in any spelling, as it is spelled here. */
function spelled(id: string): string {
  return hyphenated(id.toLowerCase().replace(/[^0-9a-f]/g, ""));
}
