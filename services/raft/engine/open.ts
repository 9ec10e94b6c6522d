/** @module Opening the log engine that the configuration names. */
import type { LogEngine } from "./engine.ts";
import { type JetStreamEngineOptions, openJetStreamEngine } from "./jetstream.ts";
import { openSqliteEngine, type SqliteEngineOptions } from "./sqlite.ts";

export type EngineOptions =
  | ({ readonly kind: "sqlite" } & SqliteEngineOptions)
  | ({ readonly kind: "jetstream" } & JetStreamEngineOptions);

/** Opens the engine of the given kind. Throws as `openSqliteEngine` and `openJetStreamEngine` do. */
export function openEngine(options: EngineOptions): Promise<LogEngine> {
  return options.kind === "sqlite" ? openSqliteEngine(options) : openJetStreamEngine(options);
}
