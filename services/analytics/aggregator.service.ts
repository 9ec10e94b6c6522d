/** @module Runs of the whole cluster, and what all of its nodes have measured of them. */
import type { Context, Service } from "moleculer";
import { systemClock } from "../../lib/clock.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { defineService } from "../../lib/service.ts";
import { type BeginEnvironment, begin, endCurrent } from "./aggregator/begin.ts";
import { ReportCache } from "./aggregator/cache.ts";
import type { ClaimKey } from "./aggregator/claims.ts";
import { deleteEverywhere } from "./aggregator/deletion.ts";
import { Effects, wordOn } from "./aggregator/effects.ts";
import { healthOf } from "./aggregator/health.ts";
import { activeNodes } from "./aggregator/nodes.ts";
import { readRunRequest } from "./aggregator/parameters.ts";
import { Reports } from "./aggregator/reports.ts";
import {
  COMPARE_PARAMS,
  type CompareRequest,
  EXPORT_PARAMS,
  type ExportRequest,
  GET_PARAMS,
  type GetRequest,
  SCOPE,
} from "./aggregator/requests.ts";
import { RUN_TIMING, type RunTiming } from "./aggregator/run.ts";
import { Runner } from "./aggregator/runner.ts";
import type {
  AggregationStatus,
  AnalyticsHealth,
  Claim,
  ClaimAnswer,
  CurrentRun,
  DeletedOn,
  ExperimentControl,
  ExperimentRow,
  Scope,
  StartRun,
} from "./contract.ts";

/** Shorter ones are for tests. */
type Settings = { timing: Omit<RunTiming, "collectionMs"> };

type AggregatorService = Service<Settings> & {
  runner: Runner;
  effects: Effects;
  cache: ReportCache;
  reports: Reports;
  /** Starts and stops of this node, one after the other. */
  turn: Promise<unknown>;
};

/** `parameters.ts` checks it, and says of each what is wrong in a sentence of its own. */
const checkedByHandler = { type: "any", optional: true };
const id = { type: "string" };

export default defineService<AggregatorService>({
  name: "analytics.aggregator",

  settings: { timing: RUN_TIMING },

  actions: {
    /** `StartRun` -> `{experiment_id}`: this node leads the run. Throws `invalid_request` and `busy`. */
    start: {
      params: {
        experiment_id: checkedByHandler,
        message_count: checkedByHandler,
        interval_ms: checkedByHandler,
        transport: checkedByHandler,
        payload_bytes: checkedByHandler,
        replace: checkedByHandler,
      },
      async handler(ctx: Context<StartRun>): Promise<{ experiment_id: string }> {
        const request = readRunRequest(ctx.params as unknown as Readonly<Record<string, unknown>>);
        const run = await inTurn(this, () => begin(environment(this), request));
        return { experiment_id: run.id };
      },
    },

    /** Ends the run that is on, whoever leads it: `{experiment_id}`, null when there was none. */
    stop: {
      params: {},
      async handler(): Promise<{ experiment_id: string | null }> {
        const run = await inTurn(this, () => endCurrent(environment(this)));
        return { experiment_id: run?.id ?? null };
      },
    },

    /** `AggregationStatus`: the other nodes, and the run that this node is in. */
    status: {
      params: {},
      handler(): AggregationStatus {
        const nodes = activeNodes(this.broker);
        return {
          active_nodes: nodes,
          node_count: nodes.length,
          local_node_id: this.broker.nodeID,
          experiment: this.reports.running(this.runner.current),
        };
      },
    },

    /** The run that this node is in: `CurrentRun`, null when it is in none. */
    current: {
      params: {},
      handler(): CurrentRun | null {
        return this.runner.current;
      },
    },

    /** `Claim` -> `ClaimAnswer`. */
    claim: {
      params: { experiment_id: id, owner_node: id, replaces: { type: "string", nullable: true } },
      handler(ctx: Context<Claim>): ClaimAnswer {
        return this.runner.claim(ctx.params);
      },
    },

    /** Gives a claim back. */
    release: {
      params: { experiment_id: id, owner_node: id },
      handler(ctx: Context<ClaimKey>): void {
        this.runner.release(ctx.params);
      },
    },

    /** Ends a run that this node leads: `ExperimentRow` as it ended, null when it leads none of that id. */
    finish: {
      params: { experiment_id: id },
      handler(ctx: Context<{ experiment_id: string }>): ExperimentRow | null {
        return this.runner.finish(ctx.params.experiment_id);
      },
    },

    /** `{experiment_id, kind, scope?}` -> a body as corroport, section 6. Throws `invalid_request`. */
    get: {
      params: GET_PARAMS,
      handler(ctx: Context<GetRequest>): Promise<object> {
        return this.reports.get(ctx.params);
      },
    },

    /** `{scope?}` -> `{experiments, count}`. */
    list: {
      params: { scope: SCOPE },
      handler(ctx: Context<{ scope: Scope }>): Promise<object> {
        return this.reports.list(ctx.params.scope);
      },
    },

    /** `{ids, format?, scope?}` -> a body, or with `csv` a file. Throws `invalid_request`. */
    compare: {
      params: COMPARE_PARAMS,
      handler(ctx: Context<CompareRequest>): Promise<object> {
        return this.reports.compare(ctx.params);
      },
    },

    /** `{experiment_id, format?, include_raw_events?, include_system_metrics?, scope?}` -> `ExportFile`, or `ExportStream`, which crosses no bus. */
    export: {
      visibility: "protected",
      params: EXPORT_PARAMS,
      handler(ctx: Context<ExportRequest>): Promise<object> {
        return this.reports.export(ctx.params);
      },
    },

    /** `{experiment_id?}`, all of them without -> `DeletedOn`. Throws `busy` while it runs. */
    delete: {
      params: { experiment_id: checkedByHandler },
      async handler(ctx: Context<{ experiment_id?: unknown }>): Promise<DeletedOn> {
        const { experiment_id } = ctx.params;
        const deleted = await deleteEverywhere(this.broker, experiment_id);
        this.cache.forget(null);
        return deleted;
      },
    },

    /** `AnalyticsHealth`; a database that cannot be used is no error of this action. */
    health: {
      params: {},
      handler(): Promise<AnalyticsHealth> {
        return healthOf(this.broker);
      },
    },
  },

  events: {
    experiment_control(ctx: Context<ExperimentControl>) {
      // What this node says it knows already.
      if (ctx.nodeID === this.broker.nodeID) return;
      this.cache.forget(ctx.params.experiment_id);
      this.runner.take({ kind: "control", control: ctx.params });
    },
  },

  created() {
    const { analyticsCacheMs, analyticsIntervalMs } = runtimeOf(this.broker).config.console;
    this.turn = Promise.resolve();
    this.cache = new ReportCache(analyticsCacheMs);
    this.reports = new Reports(this.broker, this.cache);
    this.effects = new Effects({
      broker: this.broker,
      logger: this.logger,
      outcome: (run, failure) => this.runner.outcome(run, failure),
      changed: ({ id }) => this.cache.forget(id),
      collect: ({ id }) => this.reports.collect(id),
    });
    this.runner = new Runner({
      now: () => ({ ms: performance.now(), us: systemClock() }),
      timing: { ...this.settings.timing, collectionMs: analyticsIntervalMs },
      perform: (command) => this.effects.perform(command),
    });
  },

  async stopped() {
    this.runner.close();
    await this.effects.settled();
    this.cache.forget(null);
  },
});

function environment({ broker, effects, runner }: AggregatorService): BeginEnvironment {
  return {
    broker,
    now: systemClock,
    lead: async (run) => {
      if (!runner.lead(run)) return false;
      await effects.kept(run);
      return true;
    },
    tellEnd: (run) => {
      effects.tell("stop", run);
      // An own word is not heard.
      runner.take({ kind: "control", control: wordOn("stop", run) });
    },
  };
}

/** A stop that is asked for while a start is under way ends what that start begins. */
function inTurn<T>(service: AggregatorService, work: () => Promise<T>): Promise<T> {
  const mine = service.turn.then(work);
  service.turn = mine.catch(() => undefined);
  return mine;
}
