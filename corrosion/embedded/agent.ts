/** @module One running agent: its parts put together, started in order and stopped in order. */

import { dirname } from "node:path";
import { hyphenated } from "../../lib/actor-ids.ts";
import { makeFolder } from "../../lib/folders.ts";
import { formatHostPort } from "../../lib/host-port.ts";
import { type AdminParts, adminHandler } from "./admin/handler.ts";
import { startAdmin } from "./admin/server.ts";
import type { Config } from "./config.ts";
import { databaseFigures } from "./database-figures.ts";
import type { Gossip, GossipEvent } from "./gossip/contract.ts";
import { healthRoute, tableStatsRoute } from "./http/condition.ts";
import { queriesRoute } from "./http/queries.ts";
import { startHttp } from "./http/server.ts";
import { subscriptionRoutes, updatesRoute } from "./http/subscriptions.ts";
import { transactionsRoute } from "./http/transactions.ts";
import { joinGossip } from "./joined-gossip.ts";
import { CommitLag } from "./lag.ts";
import { type Log, reasonOf } from "./log.ts";
import { AgentMetrics, serveMetrics } from "./metrics.ts";
import { ReaderPool } from "./processes/reader-pool.ts";
import { Readers } from "./processes/readers.ts";
import { Writer } from "./processes/writer.ts";
import type { Committed } from "./replication.ts";
import { openRunningSubscriptions } from "./running-subscriptions.ts";
import { readSchemaFiles } from "./schema-files.ts";
import { openUpdates } from "./subscriptions/updates.ts";
import { AGENT_NAME } from "./version.ts";

export interface Agent {
  /** Ends streams, keeps subscriptions, checkpoints, removes the socket. */
  stop(): Promise<void>;
}

/** The agent cannot start; one sentence. */
export class CannotStart extends Error {
  override name = "CannotStart";
}

// What runs at the same time of clients' queries, and of the agent's own questions, which must not wait behind those.
const CLIENT_QUERIES = 16;
const OWN_QUERIES = 2;
// Together less than 2 s: what a client left running is not waited for.
const STOP_STREAMS_MS = 300;
const STOP_WRITER_MS = 700;

/** Starts all parts; resolves when the API answers. Throws errors whose messages are sentences. */
export async function startAgent(config: Config, log: Log): Promise<Agent> {
  const stops: (() => Promise<void> | void)[] = [];
  try {
    await new Start(config, log, stops).run();
  } catch (error) {
    await stopAll(stops, log);
    throw error;
  }
  return { stop: () => stopAll(stops, log) };
}

/** Last started, first stopped; one that fails does not keep the others. */
async function stopAll(stops: (() => Promise<void> | void)[], log: Log): Promise<void> {
  for (const stop of stops.splice(0).reverse()) {
    try {
      await stop();
    } catch (error) {
      log.error("a part of the agent did not stop well", { reason: reasonOf(error) });
    }
  }
}

class Start {
  readonly #config: Config;
  readonly #log: Log;
  readonly #stops: (() => Promise<void> | void)[];
  readonly #lag = new CommitLag();
  readonly #listeners: ((committed: Committed) => void)[] = [];

  constructor(config: Config, log: Log, stops: (() => Promise<void> | void)[]) {
    this.#config = config;
    this.#log = log;
    this.#stops = stops;
  }

  async run(): Promise<void> {
    const { db, api, admin } = this.#config;
    for (const feature of this.#config.lacking) {
      this.#log.warn(`${feature} is configured, but the ${AGENT_NAME} has it not: it is left out`);
    }
    // First of all: whoever holds the socket is the one agent on this database.
    const whole = Promise.withResolvers<AdminParts>();
    // Commands that come before the agent is whole fail with it.
    whole.promise.catch(() => {});
    this.#stops.push(() => whole.reject(new CannotStart("The agent has not started.")));
    const adminServer = await startAdmin(admin.path, adminHandler(whole.promise), this.#log);
    this.#stops.push(() => adminServer.stop());
    prepareFolder("The folder of the database", dirname(db.path));
    prepareFolder("The folder of subscriptions", db.subscriptionsPath);

    let lost: () => void = () => {};
    const writer = await Writer.start({
      path: db.path,
      log: this.#log,
      onCommitted: (committed) => {
        for (const listener of this.#listeners) listener(committed);
      },
      onCommitsLost: () => lost(),
    });
    this.#stops.push(() => writer.stop(STOP_WRITER_MS));
    await this.#applySchema(writer).catch((error: unknown) => {
      this.#log.error("the schema files were not applied, the stored schema stays", {
        reason: reasonOf(error),
      });
    });

    const pool = new ReaderPool(db.path);
    this.#stops.push(() => pool.stop());
    pool.warm();
    const queries = new Readers(pool, CLIENT_QUERIES);
    const own = new Readers(pool, OWN_QUERIES);
    const folder = db.subscriptionsPath;
    const { subscriptions, stop: stopSubscriptions } = openRunningSubscriptions({
      dbPath: db.path,
      folder,
      writer,
      pool,
      log: this.#log,
    });
    this.#stops.push(stopSubscriptions);
    const updates = openUpdates({ tables: () => writer.tables, log: this.#log });
    lost = () => {
      subscriptions.renew();
      // Their clients come back, and know by that that they may have missed something.
      updates.close();
    };
    this.#stops.push(() => updates.close());
    let joined: Gossip | null = null;
    const metrics = new AgentMetrics({
      members: () => joined?.members().length ?? 0,
      queuedChanges: () => joined?.status().queuedChanges ?? 0,
      database: () => databaseFigures(own, writer),
    });
    // Before gossip starts: it merges from its first moment on.
    this.#listeners.push(
      (committed) => {
        if (committed.local) joined?.localCommit(committed);
      },
      (committed) => subscriptions.committed(committed),
      (committed) => updates.committed(committed),
      (committed) => metrics.committed(committed),
    );
    const { gossip, stop } = await joinGossip({
      config: this.#config.gossip,
      writer,
      own,
      log: this.#log,
      count: (event) => this.#count(event, metrics),
    });
    this.#stops.push(stop);
    joined = gossip;

    const http = await startHttp({
      addrs: api.addrs,
      guarded: api,
      routes: [
        transactionsRoute(writer),
        queriesRoute(queries, () => metrics.queried()),
        ...subscriptionRoutes(subscriptions),
        updatesRoute(updates),
        healthRoute(own, { p99: () => this.#lag.p99(), queueSize: () => gossip.status().queuedChanges }),
        tableStatsRoute(own),
      ],
      log: this.#log,
      onStream: (source, by) => metrics.stream(source, by),
    });
    this.#stops.push(() => http.stop(STOP_STREAMS_MS));
    if (this.#config.prometheusAddr !== null) {
      this.#stops.push(await serveMetrics(this.#config.prometheusAddr, metrics));
    }
    whole.resolve({
      actorId: writer.actorId,
      gossip,
      subscriptions,
      known: () => writer.replication.known(),
      reload: async () => {
        await this.#applySchema(writer);
        gossip.retryRefused();
      },
    });
    const addrs = http.addrs.map(formatHostPort).join(",");
    this.#log.info(`${AGENT_NAME} ready`, {
      actor_id: hyphenated(writer.actorId),
      api: addrs,
      gossip: gossip.address,
    });
  }

  async #applySchema(writer: Writer): Promise<void> {
    await writer.applySchema(readSchemaFiles(this.#config.db.schemaPaths));
  }

  #count(event: GossipEvent, metrics: AgentMetrics): void {
    if (event.kind === "received") metrics.received(event.via, event.changes);
    else if (event.kind === "sent") metrics.sent(event.via, event.changes);
    else if (event.kind === "applied") metrics.merged(this.#lag.merged(event.ts));
  }
}

function prepareFolder(what: string, folder: string): void {
  try {
    makeFolder(folder);
  } catch (error) {
    throw new CannotStart(`${what}, ${folder}, cannot be made: ${reasonOf(error)}.`, { cause: error });
  }
}
