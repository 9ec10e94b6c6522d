/** @module Peer: Postgres, one transaction a message, the sequence given by the database. */
import pg from "pg";
import { startPostgres } from "../../test/helpers/postgres.ts";
import { MESSAGE_BYTES } from "../clients.ts";
import type { Peer } from "./peer.ts";

const CONNECTIONS = 16;

export async function postgresPeer(): Promise<Peer> {
  const server = await startPostgres();
  const pool = new pg.Pool({ connectionString: await server.database(), max: CONNECTIONS });
  await pool.query(
    "create table bench (seq bigint generated always as identity primary key, session text not null, body text not null)",
  );
  const insert = {
    name: "insert",
    text: "insert into bench (session, body) values ($1, $2) returning seq",
    values: ["session-1", "x".repeat(MESSAGE_BYTES)],
  };
  return {
    name: "Postgres",
    what: "one insert a message, depth = connections",
    depths: [1, CONNECTIONS],
    send: async () => void (await pool.query(insert)),
    clear: async () => void (await pool.query("truncate bench")),
    stop: async () => {
      await pool.end();
      await server.stop();
    },
  };
}
