/** @module `POST /v1/queries`: one read, its rows streamed as NDJSON while they come. */
import { readStatement } from "../json/statements.ts";
import { QueryFailed, QueryRefused } from "../processes/job.ts";
import type { Readers } from "../processes/readers.ts";
import { streamError } from "./answer.ts";
import { readJson } from "./bodies.ts";
import type { Route } from "./server.ts";

const DEFAULT_TIMEOUT_MS = 60_000;
/** Timers hold no more. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Answers 200 with lines, or 400 or 500 with the reason why nothing ran; a failure while it runs is the last line. */
export function queriesRoute(readers: Readers, onQuery: () => void): Route {
  return {
    method: "POST",
    path: "/v1/queries",
    concurrency: 128,
    handle: async ({ request, query, ended }) => {
      const seconds = query.u64("timeout");
      const limitMs = seconds === 0n ? null : timeoutMs(seconds, DEFAULT_TIMEOUT_MS);
      const statement = await readJson(request, readStatement);
      onQuery();
      let chunks: AsyncGenerator<Uint8Array, void, void>;
      try {
        chunks = await readers.run("lines", statement, { limitMs, signal: ended() });
      } catch (error) {
        if (error instanceof QueryRefused) return streamError(error.status, error.message);
        throw error;
      }
      return {
        kind: "stream",
        source: "queries",
        headers: {},
        send: async (out) => {
          try {
            for await (const bytes of chunks) await out.write(bytes);
          } catch (error) {
            if (!(error instanceof QueryFailed)) throw error;
            await out.write(`${JSON.stringify({ error: error.message })}\n`);
          }
        },
      };
    },
  };
}

/** A `timeout` parameter in milliseconds. */
export function timeoutMs<T>(seconds: bigint | null, otherwise: T): number | T {
  return seconds === null ? otherwise : Math.min(Number(seconds) * 1000, MAX_TIMEOUT_MS);
}
