/** @module `POST /v1/transactions`: all statements or none. */
import { realText } from "../json/cells.ts";
import { readStatements } from "../json/statements.ts";
import type { Writer } from "../processes/writer.ts";
import { WriterLost, WriterStopped } from "../processes/writer-requests.ts";
import { StatementFailed, type TransactionResult } from "../store/contract.ts";
import { json, type WholeAnswer } from "./answer.ts";
import { readJson } from "./bodies.ts";
import { timeoutMs } from "./queries.ts";
import type { Route } from "./server.ts";

/** Answers with what each statement changed, or with the one failure; nothing is kept then. */
export function transactionsRoute(writer: Writer): Route {
  return {
    method: "POST",
    path: "/v1/transactions",
    concurrency: 128,
    handle: async ({ request, query }) => {
      const limitMs = timeoutMs(query.u64("timeout"), null);
      const statements = await readJson(request, readStatements);
      if (statements.length === 0) return failed(400, "at least 1 statement is required", writer.actorId);
      const start = performance.now();
      try {
        const result = await writer.transact(statements, limitMs);
        return json(200, succeeded(result, writer.actorId, performance.now() - start));
      } catch (error) {
        return failed(500, `rusqlite: ${reasonOf(error)} (actor_id: None, version: None)`, writer.actorId);
      }
    },
  };
}

function reasonOf(error: unknown): string {
  const known =
    error instanceof StatementFailed || error instanceof WriterLost || error instanceof WriterStopped;
  if (known) return error.message;
  throw error;
}

function succeeded({ results, version }: TransactionResult, actorId: string, ms: number): string {
  const each = results.map(
    ({ rowsAffected, seconds }) => `{"rows_affected":${rowsAffected},"time":${realText(seconds)}}`,
  );
  return `{"results":[${each.join(",")}],"time":${realText(ms / 1000)},"version":${version},"actor_id":"${actorId}"}`;
}

function failed(status: number, message: string, actorId: string): WholeAnswer {
  const error = JSON.stringify(message);
  return json(status, `{"results":[{"error":${error}}],"time":0.0,"version":null,"actor_id":"${actorId}"}`);
}
