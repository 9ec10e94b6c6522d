/** @module The query console of a node: presets, one statement at a time on its agent, and what ran lately. */
import { randomUUID } from "node:crypto";
import type { Context, Service } from "moleculer";
import { systemClock } from "../../lib/clock.ts";
import { AgentAccess } from "../../lib/corrosion/agent-access.ts";
import { asFailure, CorrosionError } from "../../lib/corrosion/failures.ts";
import { defineService } from "../../lib/service.ts";
import type { ConsoleRunRecord, NewConsoleRun, QueryPreset, QueryResult, QueryRun } from "./contract.ts";
import { PRESETS } from "./query/presets.ts";
import { type RunRequest, readRun } from "./query/request.ts";
import { run } from "./query/run.ts";

const KEPT_RUNS = 100;
/** Writing a run down may wait for a report that reads the same file. */
const RECORD_LIMIT_MS = 10_000;

type QueryService = Service<{ timeoutMs: number }> & {
  access: AgentAccess;
  running: Map<string, AbortController>;
};

export default defineService<QueryService>({
  name: "corrosion.query",

  settings: { timeoutMs: 10_000 },

  actions: {
    /** `QueryPreset[]`. */
    presets: {
      params: {},
      handler(this: QueryService): readonly QueryPreset[] {
        return PRESETS;
      },
    },

    /** `QueryRun` -> `QueryResult`. Throws `CorrosionError`. */
    run: {
      params: {
        preset: { type: "string", optional: true },
        sql: { type: "string", optional: true },
        params: { type: "any", optional: true },
        mode: { type: "string", optional: true },
        limit: { type: "number", optional: true },
        run_id: { type: "string", optional: true, min: 1, max: 64 },
      },
      async handler(this: QueryService, ctx: Context<QueryRun>): Promise<QueryResult> {
        const runId = ctx.params.run_id ?? randomUUID();
        const request = readRun(ctx.params);
        if (this.running.has(runId)) throw new CorrosionError("busy", `The query ${runId} runs already.`);
        const stop = new AbortController();
        this.running.set(runId, stop);
        try {
          return await recorded(this, request, ctx.params.params, runId, stop.signal);
        } finally {
          this.running.delete(runId);
        }
      },
    },

    /** Ends a run: `{run_id}` -> `{run_id}`. Throws `not_found` when it does not run. */
    cancel: {
      params: { run_id: "string" },
      handler(this: QueryService, ctx: Context<{ run_id: string }>): { run_id: string } {
        const { run_id } = ctx.params;
        const stop = this.running.get(run_id);
        if (!stop) throw new CorrosionError("not_found", `No query ${run_id} runs on this node.`);
        stop.abort(new CorrosionError("cancelled", "The query was cancelled."));
        return { run_id };
      },
    },

    /** `ConsoleRunRecord[]`, newest first, at most 100. Throws `store_unavailable`. */
    history: {
      params: {
        limit: { type: "number", integer: true, min: 1, max: KEPT_RUNS, optional: true, default: KEPT_RUNS },
      },
      handler(this: QueryService, ctx: Context<{ limit: number }>): Promise<ConsoleRunRecord[]> {
        const { nodeID } = this.broker;
        return ctx.call<ConsoleRunRecord[], object>("analytics.store.runs", ctx.params, { nodeID });
      },
    },
  },

  created(this: QueryService) {
    this.access = new AgentAccess(this.broker);
    this.running = new Map();
  },

  async stopped(this: QueryService) {
    for (const stop of this.running.values()) {
      stop.abort(new CorrosionError("cancelled", "The query was cancelled, for its node stops."));
    }
  },
});

/** Runs it, and writes down how that went. */
async function recorded(
  service: QueryService,
  request: RunRequest,
  params: unknown,
  runId: string,
  signal: AbortSignal,
): Promise<QueryResult> {
  const at = systemClock();
  const began = performance.now();
  const elapsed = () => Math.round((performance.now() - began) * 1000) / 1000;
  const note = async (row_count: number | null, error: string | null) => {
    const { preset, sql, mode } = request;
    const elapsed_ms = elapsed();
    const run = { at, preset: preset?.id ?? null, sql, params, mode, row_count, elapsed_ms, error };
    await remember(service, run);
    return elapsed_ms;
  };
  try {
    const client = await service.access.client();
    const rows = await run(client, request, { timeoutMs: service.settings.timeoutMs, signal });
    const elapsed_ms = await note(rows.rows_affected ?? rows.row_count, null);
    return { run_id: runId, ...rows, elapsed_ms };
  } catch (error) {
    const failure = asFailure(error);
    await note(null, failure instanceof Error ? failure.message : String(failure));
    throw failure;
  }
}

/** Queries run all the same when the node's file cannot be used. */
async function remember({ broker, logger }: QueryService, run: NewConsoleRun): Promise<void> {
  try {
    const own = { nodeID: broker.nodeID, timeout: RECORD_LIMIT_MS };
    await broker.call<void, NewConsoleRun>("analytics.store.recordRun", run, own);
  } catch (error) {
    logger.warn("a run of the console was not written down", { error: String(error) });
  }
}
