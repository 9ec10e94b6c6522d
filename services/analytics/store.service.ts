/** @module What a node keeps of runs and of its console, in one SQLite file: recorded in batches, reported by SQL. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { LRUCache } from "lru-cache";
import type { Context, Service } from "moleculer";
import { systemClock } from "../../lib/clock.ts";
import { CorrosionError } from "../../lib/corrosion/failures.ts";
import { regionOf } from "../../lib/regions.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { defineService } from "../../lib/service.ts";
import type { ConsoleRunRecord, NewConsoleRun } from "../corrosion/contract.ts";
import type { ComparedExperiment, ReportBodies } from "./bodies.ts";
import type {
  ComparedQuery,
  Deleted,
  EventKey,
  EventPage,
  ExperimentPart,
  ExportQuery,
  PartChunk,
  Query,
  Recorded,
  StoreStatus,
} from "./contract.ts";
import type { Exporter } from "./export/experiment.ts";
import type { ExportFile } from "./export/file.ts";
import { chunkOf } from "./parts.ts";
import { checkTargets, recordParams } from "./record-params.ts";
import { checkRunId } from "./run-id.ts";
import { BatchWriter } from "./store/batch-writer.ts";
import { StoreThread } from "./store/store-thread.ts";

type StoreService = Service<{ intervalMs: number; retryMs: number; capacity: number }> & {
  thread: StoreThread;
  writer: BatchWriter;
  /** Packed parts that are fetched in several messages. */
  parts: LRUCache<string, Uint8Array>;
};

const experiment_id = { type: "string", min: 1, max: 255 } as const;
const parts = { type: "array", optional: true, items: { type: "class", instanceOf: Uint8Array } } as const;
const nodeIds = { type: "array", items: "string" } as const;
const eventKey = {
  type: "object",
  optional: true,
  props: { message_id: "string", target_node: { type: "string", nullable: true } },
} as const;
const PART_TTL_MS = 60_000;
const PARTS_BYTES = 64 * 1024 * 1024;

export default defineService<StoreService>({
  name: "analytics.store",

  settings: { intervalMs: 50, retryMs: 1000, capacity: 100_000 },

  actions: {
    /** `Recorded` -> `{accepted}`, rows. Throws `CorrosionError` (`invalid_request`). */
    record: {
      params: recordParams,
      handler(this: StoreService, ctx: Context<Recorded>): { accepted: number } {
        checkTargets(ctx.params);
        return { accepted: this.writer.add(ctx.params) };
      },
    },

    /** Answers once all that was recorded before is in the file. Throws `store_unavailable`, as all that follow. */
    flush: {
      params: {},
      handler(this: StoreService): Promise<void> {
        return this.writer.flush();
      },
    },

    /** `{id?}` -> `ExperimentPart[]`. */
    experiments: {
      params: { id: { ...experiment_id, optional: true } },
      async handler(this: StoreService, ctx: Context<{ id?: string }>): Promise<ExperimentPart[]> {
        await this.writer.flush();
        return this.thread.call("experiments", ctx.params.id ?? null);
      },
    },

    /** `Query` -> the body of its kind. */
    query: {
      params: {
        experiment_id,
        kind: {
          type: "enum",
          values: ["summary", "timing", "metrics", "events", "topology", "performance"],
        },
        parts,
      },
      async handler(this: StoreService, ctx: Context<Query>): Promise<ReportBodies[Query["kind"]]> {
        const { experiment_id: id, kind, parts = [] } = ctx.params;
        await this.writer.flush();
        return this.thread.call("report", id, kind, parts);
      },
    },

    /** `ExportQuery` -> `ExportFile`. Throws `invalid_request` for an id that no run may have. */
    export: {
      params: {
        experiment_id,
        format: { type: "enum", values: ["json", "csv"] },
        include_system_metrics: "boolean",
        nodes_reporting: nodeIds,
        nodes_missing: nodeIds,
        parts,
      },
      async handler(this: StoreService, ctx: Context<ExportQuery>): Promise<ExportFile> {
        const { experiment_id: id, format, parts: others = [], ...options } = ctx.params;
        checkRunId(id);
        await this.writer.flush();
        return this.thread.call("exported", id, format, exporter(this), options, others);
      },
    },

    /** `{experiment_id, after?}` -> `EventPage`. */
    events: {
      params: { experiment_id, after: eventKey },
      async handler(
        this: StoreService,
        ctx: Context<{ experiment_id: string; after?: EventKey }>,
      ): Promise<EventPage> {
        const { after, experiment_id: id } = ctx.params;
        if (after === undefined) await this.writer.flush();
        return this.thread.call("events", id, after ?? null);
      },
    },

    /** `ComparedQuery` -> `ComparedExperiment`. */
    compared: {
      params: { experiment_id, parts },
      async handler(this: StoreService, ctx: Context<ComparedQuery>): Promise<ComparedExperiment> {
        await this.writer.flush();
        return this.thread.call("compared", ctx.params.experiment_id, ctx.params.parts ?? []);
      },
    },

    /** `{experiment_id, rows?}` -> the first `PartChunk` of what this node has of a run. */
    part: {
      params: { experiment_id, rows: { type: "boolean", optional: true, default: false } },
      async handler(
        this: StoreService,
        ctx: Context<{ experiment_id: string; rows: boolean }>,
      ): Promise<PartChunk> {
        await this.writer.flush();
        const packed = await this.thread.call("part", ctx.params.experiment_id, ctx.params.rows);
        const first = chunkOf(packed, randomUUID(), 0);
        if (first.chunks > 1) this.parts.set(first.token, packed);
        return first;
      },
    },

    /** `{token, index}` -> `PartChunk`. Throws `not_found` a minute after the part was asked for last. */
    chunk: {
      params: { token: "string", index: { type: "number", integer: true, min: 0 } },
      handler(this: StoreService, ctx: Context<{ token: string; index: number }>): PartChunk {
        const { index, token } = ctx.params;
        const packed = this.parts.get(token);
        if (packed) return chunkOf(packed, token, index);
        throw new CorrosionError("not_found", "This part of a run is not held any more: ask for it again.");
      },
    },

    /** `{experiment_id?}` -> `Deleted`. Without an id everything that was recorded goes. */
    delete: {
      params: { experiment_id: { ...experiment_id, optional: true } },
      async handler(this: StoreService, ctx: Context<{ experiment_id?: string }>): Promise<Deleted> {
        await this.writer.flush();
        let [experiments, rows, more] = [0, 0, true];
        while (more) {
          const slice = await this.thread.call("remove", ctx.params.experiment_id ?? null);
          experiments += slice.experiments;
          rows += slice.rows;
          more = slice.more;
        }
        return { experiments, rows };
      },
    },

    /** `NewConsoleRun` -> nothing. */
    recordRun: {
      params: {
        at: "number",
        preset: { type: "string", nullable: true },
        sql: "string",
        params: { type: "any", optional: true },
        mode: { type: "enum", values: ["read", "write"] },
        row_count: { type: "number", nullable: true },
        elapsed_ms: { type: "number", nullable: true },
        error: { type: "string", nullable: true },
      },
      handler(this: StoreService, ctx: Context<NewConsoleRun>): Promise<void> {
        return this.thread.call("recordRun", ctx.params);
      },
    },

    /** `{limit}` -> `ConsoleRunRecord[]`, newest first. */
    runs: {
      params: { limit: { type: "number", integer: true, min: 1, max: 100 } },
      handler(this: StoreService, ctx: Context<{ limit: number }>): Promise<ConsoleRunRecord[]> {
        return this.thread.call("runs", ctx.params.limit);
      },
    },

    /** `StoreStatus`; never throws. */
    status: {
      params: {},
      async handler(this: StoreService): Promise<StoreStatus> {
        try {
          await this.thread.call("runs", 1);
          return { ok: true, problem: null };
        } catch (error) {
          return { ok: false, problem: error instanceof Error ? error.message : String(error) };
        }
      },
    },
  },

  created(this: StoreService) {
    const { dataDir, environment } = runtimeOf(this.broker).config.console;
    this.thread = new StoreThread({
      path: environment === "test" ? ":memory:" : join(dataDir, "analytics.db"),
      nodeId: this.broker.nodeID,
    });
    this.writer = new BatchWriter({
      write: (batch) => this.thread.call("write", batch),
      clock: systemClock,
      logger: this.logger,
      ...this.settings,
    });
    this.parts = new LRUCache({
      ttl: PART_TTL_MS,
      maxSize: PARTS_BYTES,
      sizeCalculation: (packed) => packed.length,
      updateAgeOnGet: true,
    });
  },

  async started(this: StoreService) {
    try {
      const interrupted = await this.thread.call("interrupt");
      if (interrupted > 0) this.logger.warn("runs were interrupted by the end of the node", { interrupted });
    } catch (error) {
      this.logger.error("nothing is kept of runs until the analytics file can be used", {
        error: String(error),
      });
    }
  },

  async stopped(this: StoreService) {
    this.parts.clear();
    try {
      await this.writer.stop();
    } catch (error) {
      this.logger.error("the last rows of a run are lost", { error: String(error) });
    }
    await this.thread.close();
  },
});

function exporter({ broker }: StoreService): Exporter {
  return { node_id: broker.nodeID, region: regionOf(broker.nodeID), at: systemClock() };
}
