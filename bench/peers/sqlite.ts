/** @module Peer: one SQLite transaction a message, synced (WAL, synchronous=FULL). What the disk itself does. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { MESSAGE_BYTES } from "../clients.ts";
import type { Peer } from "./peer.ts";

export async function sqlitePeer(): Promise<Peer> {
  const folder = await mkdtemp(join(tmpdir(), "bench-sqlite-"));
  const db = new DatabaseSync(join(folder, "peer.sqlite"));
  db.exec(
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE m (seq INTEGER PRIMARY KEY, body BLOB)",
  );
  const insert = db.prepare("INSERT INTO m (body) VALUES (?)");
  const body = Buffer.alloc(MESSAGE_BYTES, "x");
  return {
    name: "SQLite",
    what: "one transaction a message, in this process",
    depths: [1],
    send: async () => void insert.run(body),
    clear: async () => db.exec("DELETE FROM m"),
    stop: async () => {
      db.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
