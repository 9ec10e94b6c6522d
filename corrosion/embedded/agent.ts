/** @module One running agent: its parts put together, started in order and stopped in order. */

import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { hyphenated } from "../../lib/actor-ids.ts";
import { makeFolder } from "../../lib/folders.ts";
import { formatHostPort } from "../../lib/host-port.ts";
import { ntp64 } from "../../lib/ntp64.ts";
import { type AdminParts, adminHandler } from "./admin/handler.ts";
import { startAdmin } from "./admin/server.ts";
import type { Config } from "./config.ts";
import type { Gossip, GossipEvent } from "./gossip/contract.ts";
import { startGossip } from "./gossip/gossip.ts";
import { healthRoute, tableStatsRoute } from "./http/condition.ts";
import { queriesRoute } from "./http/queries.ts";
import { startHttp } from "./http/server.ts";
import { subscriptionRoutes, updatesRoute } from "./http/subscriptions.ts";
import { transactionsRoute } from "./http/transactions.ts";
import { CommitLag } from "./lag.ts";
import type { Log } from "./log.ts";
import { AgentMetrics, serveMetrics } from "./metrics.ts";
import { ReaderPool } from "./processes/reader-pool.ts";
import { Readers } from "./processes/readers.ts";
import { Writer } from "./processes/writer.ts";
import type { Committed } from "./replication.ts";
import { readSchemaFiles } from "./schema-files.ts";
import { openReader } from "./store/connection.ts";
import type { StoredMember } from "./store/contract.ts";
import type { RunQuery, Subscriptions } from "./subscriptions/contract.ts";
import { openSubscriptions } from "./subscriptions/subscriptions.ts";
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

// What runs at the same time of clients' queries; of the agent's own questions, which must not wait behind those;
// and of subscriptions' queries.
const CLIENT_QUERIES = 16;
const OWN_QUERIES = 2;
const SUBSCRIPTION_QUERIES = 4;
const OWN_QUERY_MS = 10_000;
const MEMBERS_DELAY_MS = 500;
// Together less than 2 s: what a client left running is not waited for.
const STOP_STREAMS_MS = 300;
const STOP_GOSSIP_MS = 300;
const STOP_SUBSCRIPTIONS_MS = 400;
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
    const subscriptions = await this.#subscriptions(writer, pool);
    lost = () => subscriptions.renew();
    const updates = openUpdates({ tables: () => writer.tables, log: this.#log });
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
      (committed) => subscriptions.current().committed(committed),
      (committed) => updates.committed(committed),
      (committed) => metrics.committed(committed),
    );
    const gossip = await this.#gossip(writer, own, (event) => this.#count(event, metrics));
    joined = gossip;

    const http = await startHttp({
      addrs: api.addrs,
      guarded: api,
      routes: [
        transactionsRoute(writer),
        queriesRoute(queries, () => metrics.queried()),
        ...subscriptionRoutes(() => subscriptions.current()),
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
      subscriptions: () => subscriptions.current(),
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

  /** The subscriptions, which can be dropped and opened anew. */
  async #subscriptions(
    writer: Writer,
    pool: ReaderPool,
  ): Promise<{ current(): Subscriptions; renew(): void }> {
    const readers = new Readers(pool, SUBSCRIPTION_QUERIES);
    const query: RunQuery = async function* (sql, { limitMs, signal }) {
      yield* await readers.run("values", { sql, params: { kind: "none" } }, { limitMs, signal });
    };
    const reader: DatabaseSync = openReader(this.#config.db.path);
    this.#stops.push(() => reader.close());
    const folder = this.#config.db.subscriptionsPath;
    const open = () =>
      openSubscriptions({ folder, reader, tables: () => writer.tables, query, log: this.#log });
    let current = await open();
    // What still runs its query after a while is not waited for: ending its reader ends it.
    this.#stops.push(async () => {
      const closed = current.close({ clean: true });
      await Promise.race([closed, delay(STOP_SUBSCRIPTIONS_MS).then(() => pool.stop())]);
      await closed;
    });
    const renew = async () => {
      await current.close({ clean: false });
      current = await open();
    };
    return {
      current: () => current,
      renew: () => {
        this.#log.warn("commits may have been missed: all subscriptions start anew");
        renew().catch((error: unknown) =>
          this.#log.error("subscriptions cannot start", { reason: reasonOf(error) }),
        );
      },
    };
  }

  async #gossip(writer: Writer, own: Readers, count: (event: GossipEvent) => void): Promise<Gossip> {
    const { gossip } = this.#config;
    const [cluster] = await own.all("SELECT value FROM __corro_state WHERE key = 'cluster_id'", OWN_QUERY_MS);
    const remembered = await own.all("SELECT address FROM __corro_members", OWN_QUERY_MS);
    let started: Gossip | null = null;
    let writing: NodeJS.Timeout | null = null;
    const writeMembers = () => {
      writing = null;
      if (started === null) return;
      writer.writeMembers(storedMembers(started)).catch((error: unknown) => {
        this.#log.warn("__corro_members was not written", { reason: reasonOf(error) });
      });
    };
    started = await startGossip({
      actorId: writer.actorId,
      listen: formatHostPort(gossip.addr),
      externalAddr: gossip.externalAddr === null ? null : formatHostPort(gossip.externalAddr),
      bootstrap: gossip.bootstrap,
      remembered: remembered.map(([address]) => String(address)),
      clusterId: Number(cluster?.[0] ?? 0),
      memberId: gossip.memberId,
      replication: writer.replication,
      ts: () => ntp64(Date.now()),
      onEvent: (event) => {
        this.#tell(event);
        if (event.kind === "members_changed") writing ??= setTimeout(writeMembers, MEMBERS_DELAY_MS);
        else count(event);
      },
    });
    const running = started;
    this.#stops.push(async () => {
      if (writing !== null) clearTimeout(writing);
      started = null;
      // It waits for the writer, which a client's statement may keep busy until the writer is ended itself.
      await Promise.race([running.stop(), delay(STOP_GOSSIP_MS)]);
    });
    return running;
  }

  #count(event: GossipEvent, metrics: AgentMetrics): void {
    if (event.kind === "received") metrics.received(event.via, event.changes);
    else if (event.kind === "sent") metrics.sent(event.via, event.changes);
    else if (event.kind === "applied") metrics.merged(this.#lag.merged(event.ts));
  }

  #tell(event: GossipEvent): void {
    if (event.kind === "member") {
      this.#log.info("a member's state changed", {
        id: event.id,
        address: event.address,
        state: event.state,
      });
    } else if (event.kind === "refused") {
      const { origin, version, message } = event;
      this.#log.error("a remote version was refused and stays missing", { origin, version, reason: message });
    } else if (event.kind === "rejected" || event.kind === "unreachable") {
      this.#log.warn(`gossip: ${event.kind}`, { address: event.address, reason: event.message });
    } else if (event.kind === "trouble") {
      this.#log.error("gossip", { reason: event.message });
    }
  }
}

function prepareFolder(what: string, folder: string): void {
  try {
    makeFolder(folder);
  } catch (error) {
    throw new CannotStart(`${what}, ${folder}, cannot be made: ${reasonOf(error)}.`, { cause: error });
  }
}

function storedMembers(gossip: Gossip): StoredMember[] {
  const rtts = new Map(gossip.members().map(({ id, rtts }) => [id, rtts]));
  return gossip.membershipStates().map(({ id, incarnation, state }) => ({
    actorId: id.id.replaceAll("-", ""),
    address: id.addr,
    state,
    incarnation,
    ts: id.ts,
    rttMin: rtts.get(id.id)?.reduce((least, rtt) => Math.min(least, rtt), Number.POSITIVE_INFINITY) ?? null,
  }));
}

async function databaseFigures(own: Readers, writer: Writer) {
  const [figures] = await own.all(
    `SELECT (SELECT COALESCE(SUM("end" - start + 1), 0) FROM __corro_bookkeeping_gaps),
       (SELECT COUNT(*) FROM __corro_buffered_changes),
       (SELECT page_count * page_size FROM pragma_page_count, pragma_page_size)`,
    OWN_QUERY_MS,
  );
  const rows = new Map<string, number>();
  for (const { name } of writer.tables) {
    const [count] = await own.all(`SELECT COUNT(*) FROM "${name.replaceAll('"', '""')}"`, OWN_QUERY_MS);
    rows.set(name, Number(count?.[0]));
  }
  const [gaps, buffered, bytes] = figures ?? [];
  return { gaps: Number(gaps), buffered: Number(buffered), bytes: Number(bytes), rows };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
