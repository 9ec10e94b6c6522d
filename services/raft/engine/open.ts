/** @module Opening the log engine that the configuration names. */
import type { Config } from "../../../lib/config.ts";
import type { LogEngine } from "./engine.ts";
import { type JetStreamEngineOptions, openJetStreamEngine } from "./jetstream.ts";
import type { EngineLogger } from "./logger.ts";
import { openSqliteEngine, type SqliteEngineOptions } from "./sqlite.ts";

export type EngineOptions =
  | ({ readonly kind: "sqlite" } & SqliteEngineOptions)
  | ({ readonly kind: "jetstream" } & JetStreamEngineOptions);

/** Opens the engine of the given kind. Throws as `openSqliteEngine` and `openJetStreamEngine` do. */
export function openEngine(options: EngineOptions): Promise<LogEngine> {
  return options.kind === "sqlite" ? openSqliteEngine(options) : openJetStreamEngine(options);
}

/** The engine that a configuration asks for. */
export function engineOptions(config: Config, logger: EngineLogger): EngineOptions {
  const { appendTimeoutMs, dataDir, natsUrl, nodeId, replicas } = config;
  return natsUrl === null
    ? { kind: "sqlite", dataDir, logger, appendTimeoutMs }
    : { kind: "jetstream", servers: natsUrl, name: nodeId, replicas, logger, appendTimeoutMs };
}
