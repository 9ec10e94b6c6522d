/** @module `GET /v1/health` and `POST /v1/table_stats`: what an operator asks. */
import { realText } from "../json/cells.ts";
import { readTableNames } from "../json/statements.ts";
import type { Readers } from "../processes/readers.ts";
import type { SqlValue } from "../values.ts";
import { AGENT_NAME } from "../version.ts";
import { json, type WholeAnswer } from "./answer.ts";
import type { QueryString } from "./bodies.ts";
import { readJson } from "./bodies.ts";
import type { Route } from "./server.ts";

const CONCURRENCY = 4;
const LIMIT_MS = 10_000;
const HEALTH = `SELECT
  (SELECT COALESCE(SUM("end" - start + 1), 0) FROM __corro_bookkeeping_gaps),
  (SELECT COUNT(*) FROM __corro_members WHERE json_extract(foca_state, '$.state') = 'Alive')`;
const TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'";

/** What health says beside the database. */
export interface Lag {
  /** Seconds from a remote commit to its being merged here, 99th percentile of late; null: none came. */
  p99(): number | null;
  /** Received changes that wait. */
  queueSize(): number;
}

interface Condition {
  readonly gaps: bigint;
  readonly members: bigint;
  readonly p99Lag: number;
  readonly queueSize: bigint;
}

export function healthRoute(readers: Readers, lag: Lag): Route {
  return {
    method: "GET",
    path: "/v1/health",
    concurrency: CONCURRENCY,
    handle: async ({ query }) => {
      const limits = readLimits(query);
      let counts: readonly SqlValue[] | undefined;
      try {
        [counts] = await readers.all(HEALTH, LIMIT_MS);
      } catch (error) {
        return health(
          500,
          `"error":${JSON.stringify(error instanceof Error ? error.message : String(error))}`,
        );
      }
      const p99Lag = lag.p99();
      if (p99Lag === null) return health(limits.failureStatus, `"error":"no p99 lag information available"`);
      const [gaps, members] = counts ?? [];
      const condition: Condition = {
        gaps: integer(gaps),
        members: integer(members),
        p99Lag,
        queueSize: BigInt(lag.queueSize()),
      };
      const status = exceeds(condition, limits) ? limits.failureStatus : 200;
      return health(status, `"response":${conditionText(condition)}`);
    },
  };
}

interface Limits {
  readonly gaps: bigint | null;
  readonly p99Lag: number | null;
  readonly maxQueue: bigint | null;
  readonly queueSize: bigint | null;
  readonly failureStatus: number;
}

function readLimits(query: QueryString): Limits {
  const status = query.u16("failure_status") ?? 503;
  return {
    gaps: query.i64("gaps"),
    p99Lag: query.real("p99_lag"),
    maxQueue: query.u64("max_queue"),
    queueSize: query.u64("queue_size"),
    failureStatus: status >= 200 && status <= 999 ? status : 503,
  };
}

/** A slow peer alone makes lag but no queue, so the lag counts only while the queue is long, where that is given. */
function exceeds(condition: Condition, limits: Limits): boolean {
  const queued = (max: bigint | null) => max !== null && condition.queueSize > max;
  if (limits.gaps !== null && condition.gaps > limits.gaps) return true;
  if (queued(limits.maxQueue)) return true;
  const late = limits.p99Lag !== null && condition.p99Lag > limits.p99Lag;
  return late && (limits.queueSize === null || queued(limits.queueSize));
}

function conditionText({ gaps, members, p99Lag, queueSize }: Condition): string {
  return `{"gaps":${gaps},"members":${members},"p99_lag":${realText(p99Lag)},"queue_size":${queueSize}}`;
}

function health(status: number, member: string): WholeAnswer {
  return json(status, `{${member},"agent":${JSON.stringify(AGENT_NAME)}}`);
}

export function tableStatsRoute(readers: Readers): Route {
  return {
    method: "POST",
    path: "/v1/table_stats",
    concurrency: CONCURRENCY,
    handle: async ({ request }) => {
      const names = await readJson(request, readTableNames);
      try {
        const existing = new Set((await readers.all(TABLES, LIMIT_MS)).map(([name]) => name));
        const valid = names.filter((name) => existing.has(name));
        const counts = await Promise.all(valid.map((name) => rowCount(readers, name)));
        const invalid = names.filter((name) => !existing.has(name));
        const total = counts.reduce((sum, count) => sum + count, 0n);
        return json(200, `{"total_row_count":${total},"invalid_tables":${JSON.stringify(invalid)}}`);
      } catch {
        // The route has no place for a reason.
        return json(500, `{"total_row_count":0,"invalid_tables":[]}`);
      }
    },
  };
}

async function rowCount(readers: Readers, table: string): Promise<bigint> {
  const [row] = await readers.all(`SELECT COUNT(*) FROM "${table.replaceAll('"', '""')}"`, LIMIT_MS);
  return integer(row?.[0]);
}

function integer(value: SqlValue | undefined): bigint {
  if (typeof value === "bigint") return value;
  throw new Error(`An integer was expected, not ${String(value)}.`);
}
