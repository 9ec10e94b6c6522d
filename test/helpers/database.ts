/** @module A fresh database for whoever asks, on one real Postgres that all test files of a process share. */
import { startPostgres, type TestPostgres } from "./postgres.ts";

let shared: Promise<TestPostgres> | null = null;

// Outside of every suite: it runs after the last test of the last file. A program that is no test has no `after`.
if (typeof after === "function") {
  after(async () => {
    await (await shared)?.stop();
  });
}

/** URL of an empty database. Tests that pause or crash the server start one of their own instead. */
export async function freshDatabase(): Promise<string> {
  shared ??= startPostgres();
  return (await shared).database();
}

/** The address of a Postgres that does not exist: whoever connects is refused at once. */
export const UNREACHABLE = "postgresql://fleetport:secret@127.0.0.1:1/nowhere";
