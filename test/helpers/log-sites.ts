/** @module Places where a log engine keeps its logs in tests: a folder, one NATS server, a cluster of three. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { LogEngine } from "../../services/raft/engine/engine.ts";
import { type EngineOptions, openEngine } from "../../services/raft/engine/open.ts";
import { type NatsServers, startNats } from "./nats.ts";

export interface LogSite {
  readonly options: EngineOptions;
  /** The servers behind it; null for a folder. */
  readonly nats: NatsServers | null;
  open(appendTimeoutMs?: number): Promise<LogEngine>;
  /** Makes every write stop without an answer, until what it returns is called. */
  hang(): Promise<() => Promise<void>>;
  /** Kills whatever keeps the logs and starts it again; engines on a folder must be closed before. */
  crash(): Promise<void>;
  stop(): Promise<void>;
}

export async function folderSite(): Promise<LogSite> {
  const dataDir = await mkdtemp(join(tmpdir(), "fleetport-log-"));
  const options: EngineOptions = { kind: "sqlite", dataDir };
  return {
    options,
    nats: null,
    open: (appendTimeoutMs) => openEngine({ ...options, ...timeout(appendTimeoutMs) }),
    hang: async () => {
      // Somebody else holds the file's write lock: the writer waits for it as it would for a slow disk.
      const other = new DatabaseSync(join(dataDir, "log.sqlite"));
      other.exec("BEGIN IMMEDIATE");
      return async () => other.close();
    },
    crash: async () => {},
    stop: () => rm(dataDir, { recursive: true, force: true }),
  };
}

export async function natsSite(size: 1 | 3): Promise<LogSite> {
  const nats = await startNats({ size });
  const all = nats.servers.map((_, i) => i);
  const options: EngineOptions = { kind: "jetstream", servers: nats.servers, name: "test", replicas: size };
  return {
    options,
    nats,
    open: (appendTimeoutMs) => openEngine({ ...options, ...timeout(appendTimeoutMs) }),
    hang: async () => {
      await Promise.all(all.map((i) => nats.pause(i)));
      return async () => {
        for (const i of all) nats.resume(i);
        await nats.healthy();
      };
    },
    crash: async () => {
      await Promise.all(all.map((i) => nats.kill(i)));
      await Promise.all(all.map((i) => nats.restart(i)));
      await nats.healthy();
    },
    stop: () => nats.stop(),
  };
}

function timeout(appendTimeoutMs: number | undefined): { appendTimeoutMs?: number } {
  return appendTimeoutMs === undefined ? {} : { appendTimeoutMs };
}
