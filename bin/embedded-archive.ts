/** @module The Postgres of an embedded start: that of DATABASE_URL, else one of its own; when it cannot start, none. */
import type { Config } from "../lib/config.ts";
import type { Log } from "../lib/logging.ts";
import { describe } from "../services/conversations/archive/errors.ts";
import { startEmbeddedPostgres } from "./postgres.ts";
import { MAX_CONNECTIONS } from "./postgres-server.ts";

export interface EmbeddedArchive {
  /** The nodes' configuration with what they need to reach it. */
  readonly config: Config;
  /** What the stage's line says of it. */
  readonly line: string;
  /** Shuts down what was started, within 2 s. */
  stop(): Promise<void>;
}

/** Connections that are left to a person who looks into the database. */
const SPARE_CONNECTIONS = 20;

/** Never throws: conversations are safe in the log, so a start without an archive is better than none. */
export async function openEmbeddedArchive(config: Config, log: Log): Promise<EmbeddedArchive> {
  if (config.databaseUrl !== null) {
    return { config, line: "that of DATABASE_URL", stop: async () => undefined };
  }
  try {
    const { url, stop } = await startEmbeddedPostgres({ dataDir: config.dataDir, logger: log });
    const poolSize = Math.min(
      config.poolSize,
      Math.floor((MAX_CONNECTIONS - SPARE_CONNECTIONS) / config.nodes),
    );
    return {
      config: { ...config, databaseUrl: url, database: "embedded", poolSize },
      line: "of its own, started",
      stop,
    };
  } catch (error) {
    log.error(
      "Postgres could not be started: messages are served and kept in the log, but without an archive; put the reason right and start again",
      { reason: describe(error) },
    );
    return { config, line: "NOT AVAILABLE: there is no archive", stop: async () => undefined };
  }
}
