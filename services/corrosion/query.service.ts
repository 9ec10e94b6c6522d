/** @module The query console of a node: presets, one statement at a time on its agent, and what ran lately. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Context, Service } from "moleculer";
import { systemClock } from "../../lib/clock.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { defineService } from "../../lib/service.ts";
import { AgentAccess } from "./agent-access.ts";
import type { ConsoleRunRecord, QueryPreset, QueryResult, QueryRun } from "./contract.ts";
import { asFailure, CorrosionError } from "./failures.ts";
import { KEPT_RUNS, RunHistory } from "./query/history.ts";
import { PRESETS } from "./query/presets.ts";
import { type RunRequest, readRun } from "./query/request.ts";
import { run } from "./query/run.ts";

type QueryService = Service<{ timeoutMs: number }> & {
  access: AgentAccess;
  /** Null when its file cannot be used: queries run all the same. */
  runs: RunHistory | null;
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

    /** `ConsoleRunRecord[]`, newest first, at most 100. */
    history: {
      params: {
        limit: { type: "number", integer: true, min: 1, max: KEPT_RUNS, optional: true, default: KEPT_RUNS },
      },
      handler(this: QueryService, ctx: Context<{ limit: number }>): ConsoleRunRecord[] {
        return this.runs?.list(ctx.params.limit) ?? [];
      },
    },
  },

  created(this: QueryService) {
    this.access = new AgentAccess(this.broker);
    this.runs = null;
    this.running = new Map();
  },

  async started(this: QueryService) {
    const { dataDir, environment } = runtimeOf(this.broker).config.console;
    const path = environment === "test" ? ":memory:" : join(dataDir, "analytics.db");
    try {
      this.runs = new RunHistory(path);
    } catch (error) {
      this.logger.error("the console keeps no history, for its file cannot be used", {
        path,
        error: String(error),
      });
    }
  },

  async stopped(this: QueryService) {
    for (const stop of this.running.values()) {
      stop.abort(new CorrosionError("cancelled", "The query was cancelled, for its node stops."));
    }
    this.runs?.close();
    this.runs = null;
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
  const note = (row_count: number | null, error: string | null) => {
    const { preset, sql, mode } = request;
    remember(service, {
      at,
      preset: preset?.id ?? null,
      sql,
      params,
      mode,
      row_count,
      elapsed_ms: elapsed(),
      error,
    });
  };
  try {
    const client = await service.access.client();
    const rows = await run(client, request, { timeoutMs: service.settings.timeoutMs, signal });
    note(rows.rows_affected ?? rows.row_count, null);
    return { run_id: runId, ...rows, elapsed_ms: elapsed() };
  } catch (error) {
    const failure = asFailure(error);
    note(null, failure instanceof Error ? failure.message : String(failure));
    throw failure;
  }
}

function remember(service: QueryService, record: Parameters<RunHistory["add"]>[0]): void {
  try {
    service.runs?.add(record);
  } catch (error) {
    service.logger.warn("a run of the console was not written down", { error: String(error) });
  }
}
