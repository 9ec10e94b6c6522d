/** @module Starts what is missing of a cluster, in order; when that fails, ends again what it started. */
import { setTimeout as delay } from "node:timers/promises";
import { isAlive } from "../../lib/process-identity.ts";
import { findRedisServer } from "../redis-server.ts";
import { stage } from "../stages.ts";
import { lastLines } from "./background.ts";
import type { Layout } from "./layout.ts";
import { natsAgree, natsParts, natsUrl } from "./nats.ts";
import { groupsWithoutLeader, nodeParts } from "./node.ts";
import { checkPorts, type Part } from "./part.ts";
import { postgresPart } from "./postgres.ts";
import { probe } from "./probe.ts";
import { type PartName, type Running, readRunning } from "./record.ts";
import { redisPart, redisUrl } from "./redis.ts";
import { endParts } from "./stop.ts";

const POLL_MS = 50;
/** A node itself gives up after a minute, and then says why. */
const READY_LIMIT_MS = 90_000;

/**
 * Brings the cluster up and prints a line a stage. Throws with what went wrong, and with the last lines of the log
 * concerned, after it ended what this call had started; what ran before goes on. `signal` cuts the start short.
 */
export async function startCluster(layout: Layout, signal: AbortSignal): Promise<void> {
  const start = new Start(layout, signal);
  try {
    await start.run();
  } catch (error) {
    if (start.started.length > 0) {
      process.stderr.write("The start failed; what it had started is ended again.\n");
      await endParts(layout, start.started);
    }
    throw error;
  }
}

class Start {
  /** What this call started. */
  readonly started: Running[] = [];
  readonly #layout: Layout;
  readonly #signal: AbortSignal;
  readonly #running: Map<PartName, Running>;

  constructor(layout: Layout, signal: AbortSignal) {
    this.#layout = layout;
    this.#signal = signal;
    this.#running = readRunning(layout.pids);
  }

  async run(): Promise<void> {
    const { config } = this.#layout;
    const redisServer = config.redisUrl === null ? await findRedisServer() : null;
    const nats = config.natsUrl === null ? natsParts(this.#layout) : [];
    const postgres = config.databaseUrl === null ? [postgresPart(this.#layout)] : [];
    const redis = redisServer === null ? [] : [redisPart(this.#layout, redisServer)];
    const nodes = nodeParts(this.#layout, () => ({
      natsUrl: config.natsUrl ?? natsUrl(this.#layout),
      databaseUrl: config.databaseUrl ?? this.#running.get("postgres")!.address,
      redisUrl: config.redisUrl ?? (redisServer === null ? null : redisUrl(this.#layout)),
    }));

    const all = [...nats, ...postgres, ...redis, ...nodes];
    for (const part of all) this.#sameAsBefore(part);
    await checkPorts(all.filter(({ name }) => !this.#running.has(name)));

    await this.#stage("nats", nats, "NATS_URL", () => natsAgree(this.#layout));
    await this.#stage("postgres", postgres, "DATABASE_URL");
    if (config.redisUrl === null && redisServer === null) {
      await stage(
        "redis",
        async () => undefined,
        () => "redis-server is not installed here: each node limits rates on its own",
      );
    } else await this.#stage("redis", redis, "REDIS_URL");
    await this.#stage("nodes", nodes, "");
    await stage(
      "groups",
      () => this.#until("groups", [...this.#running.values()], () => groupsWithoutLeader(this.#layout)),
      () => `${config.groups} groups led`,
    );
  }

  /** A part that runs elsewhere than it is wanted now would be missed by those that are started. */
  #sameAsBefore({ name, address }: Part): void {
    const running = this.#running.get(name);
    if (!running || address === null || running.address === address) return;
    throw new Error(
      `${name} runs at ${running.address}, and now it is wanted at ${address}: end the cluster first (npm run cluster -- --stop), or set the ports as they were.`,
    );
  }

  async #stage(
    name: string,
    parts: readonly Part[],
    variable: string,
    also: () => Promise<string | null> = async () => null,
  ): Promise<void> {
    const before = parts.filter((part) => this.#running.has(part.name));
    const missing = parts.filter((part) => !this.#running.has(part.name));
    const work = async () => {
      for (const part of missing) {
        this.#signal.throwIfAborted();
        await this.#launch(part);
      }
      const running = parts.map((part) => this.#running.get(part.name)!);
      await Promise.all(running.map((part) => this.#until(part.name, [part], () => probe(part.health))));
      if (running.length > 0) await this.#until(name, running, also);
    };
    await stage(name, work, () => {
      if (parts.length === 0) return `yours is used (${variable})`;
      if (parts.length === 1) return before.length === 1 ? "runs already" : "ready";
      const said = [];
      if (missing.length > 0) said.push(`${names(missing)} ready`);
      if (before.length > 0) said.push(`${names(before)} ${before.length === 1 ? "runs" : "run"} already`);
      return said.join("; ");
    });
  }

  async #launch(part: Part): Promise<void> {
    try {
      const running = await part.launch();
      this.started.push(running);
      this.#running.set(part.name, running);
    } catch (error) {
      // It may have been started and noted before it failed.
      const noted = readRunning(this.#layout.pids).get(part.name);
      if (noted) this.started.push(noted);
      throw error;
    }
  }

  /** Waits until nothing is missing while all the parts live. */
  async #until(
    what: string,
    parts: readonly Running[],
    missing: () => Promise<string | null>,
  ): Promise<void> {
    const deadline = performance.now() + READY_LIMIT_MS;
    for (;;) {
      this.#signal.throwIfAborted();
      const problem = await missing();
      const dead = parts.find((part) => !isAlive(part));
      if (dead) throw new Error(`${dead.name} has ended. ${lastLines(dead.log)}`);
      if (problem === null) return;
      if (performance.now() > deadline) {
        const logs =
          parts.length === 1 ? ` ${lastLines(parts[0]!.log)}` : ` The logs are in ${this.#layout.logs}.`;
        throw new Error(`${what}: not ready after ${READY_LIMIT_MS / 1000} s: ${problem}.${logs}`);
      }
      await delay(POLL_MS);
    }
  }
}

function names(parts: readonly Part[]): string {
  return parts.map(({ name }) => name).join(", ");
}
