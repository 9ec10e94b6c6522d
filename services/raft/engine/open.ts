/** @module Opens the log engine that the configuration names. */
import type { Config } from "../../../lib/config.ts";
import type { LogEngine } from "./engine.ts";
import type { EngineLogger } from "./logger.ts";
import { openSqliteEngine } from "./sqlite.ts";

/** Throws as the engines' own open functions do. */
export async function openEngine(config: Config, logger: EngineLogger): Promise<LogEngine> {
  if (config.engine === "sqlite") return openSqliteEngine({ dataDir: config.dataDir, logger });
  throw new Error("the jetstream engine is not here yet");
}
