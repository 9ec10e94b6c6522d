/** @module Brings the archive's schema up to date: `migrations/*.sql`, in the order of their numbers, each once. */
import { join } from "node:path";
import { runner } from "node-pg-migrate";
import pg from "pg";
import { asArchiveError, describe } from "./errors.ts";

const MIGRATIONS = join(import.meta.dirname, "migrations");
const TABLE = "fleetport_migrations";
/** Any number that is always the same: nodes that start together take turns. */
const LOCK = 4_614_110_921;

/** Longest wait for another node's migration, and for tables that somebody uses. */
const LOCK_WAIT_MS = 60_000;

export interface MigrateOptions {
  readonly url: string;
  /** Longest wait for a connection; default 2000. */
  readonly connectTimeoutMs?: number;
  /** Gives up: what was not committed by then is undone. */
  readonly signal?: AbortSignal;
}

/**
 * Creates the tables that are missing and takes a FleetLM database over in place, all in one transaction. Returns the
 * names of the migrations that it ran. Throws `ArchiveUnavailable` when there is no connection or it is lost, and an
 * error that names the migration's problem when Postgres refuses it; then nothing has changed.
 */
export async function migrateArchive(options: MigrateOptions): Promise<string[]> {
  const { url, connectTimeoutMs = 2000, signal } = options;
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: connectTimeoutMs,
    lock_timeout: LOCK_WAIT_MS,
    application_name: "fleetport migration",
    keepAlive: true,
  });
  let lost = false;
  // A connection that breaks fails the statement under way; that error is the one to be told.
  client.on("error", () => {
    lost = true;
  });
  try {
    await client.connect();
  } catch (error) {
    throw asArchiveError(error);
  }
  const quiet = () => undefined;
  // Ending a client that waits for an answer drops its connection at once.
  const giveUp = () => {
    lost = true;
    void client.end();
  };
  signal?.addEventListener("abort", giveUp);
  try {
    if (signal?.aborted) giveUp();
    const done = await runner({
      dbClient: client,
      dir: MIGRATIONS,
      direction: "up",
      migrationsTable: TABLE,
      lockValue: LOCK,
      advisoryLockMode: "wait",
      singleTransaction: true,
      logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    });
    return done.map(({ name }) => name);
  } catch (cause) {
    if (lost || isOutage(cause)) throw asArchiveError(cause);
    throw new Error(`the archive's schema cannot be brought up to date: ${describe(cause)}`, { cause });
  } finally {
    signal?.removeEventListener("abort", giveUp);
    await client.end();
  }
}

/** Classes of SQLSTATE that speak of the moment: connection, resources, an operator who ends the server. */
const OUTAGE_CLASSES = new Set(["08", "53", "57"]);

function isOutage(error: unknown): boolean {
  return error instanceof pg.DatabaseError && OUTAGE_CLASSES.has(error.code?.slice(0, 2) ?? "");
}
