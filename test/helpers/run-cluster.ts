/** @module Nodes of one process that send, acknowledge and measure, with real agents, for runs over all of them. */
import assert from "node:assert/strict";
import type { ServiceSchema } from "moleculer";
import drill from "../../services/acks/drill.service.ts";
import messages from "../../services/acks/messages.service.ts";
import sender from "../../services/acks/sender.service.ts";
import tracker from "../../services/acks/tracker.service.ts";
import { RUN_TIMING } from "../../services/analytics/aggregator/run.ts";
import aggregator from "../../services/analytics/aggregator.service.ts";
import type { ExperimentJson, SummaryBody } from "../../services/analytics/bodies.ts";
import type {
  AggregationStatus,
  AnalyticsEvent,
  Reported,
  StartRun,
} from "../../services/analytics/contract.ts";
import metrics from "../../services/analytics/metrics.service.ts";
import store from "../../services/analytics/store.service.ts";
import nodeFacts from "../../services/corrosion/node.service.ts";
import subscriber from "../../services/corrosion/subscriber.service.ts";
import ackGateway from "../../services/gateway/ack-gateway.service.ts";
import gateway from "../../services/gateway/gateway.service.ts";
import {
  type ConsoleCluster,
  type ConsoleNode,
  type ConsoleOptions,
  startConsole,
} from "./console-cluster.ts";
import { until } from "./until.ts";

/** Shorter than in earnest, so that a test sees a run's whole life. */
const TIMING = { ...RUN_TIMING, tickMs: 500, silenceMs: 4000, settleMs: 1000 };

export type Summary = SummaryBody & Reported;

export interface RunCluster {
  readonly console: ConsoleCluster;
  readonly nodes: readonly ConsoleNode[];
  /** What each node told its own pages. */
  readonly told: ReadonlyMap<string, readonly AnalyticsEvent[]>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Parsed, where it is JSON. */
  readonly body: Record<string, unknown>;
}

export interface RunOptions extends ConsoleOptions {
  /** How long a store waits for more rows before it writes by itself. */
  readonly batchMs?: number;
}

/** Started, agents running, all nodes known to each other. */
export async function startRuns(options: RunOptions): Promise<RunCluster> {
  const told = new Map<string, AnalyticsEvent[]>();
  const listener: ServiceSchema = {
    name: "run-listener",
    events: {
      analytics_events(ctx: { params: AnalyticsEvent; nodeID: string | null }) {
        const list = told.get(this.broker.nodeID) ?? [];
        told.set(this.broker.nodeID, [...list, ctx.params]);
      },
    },
  };
  const runs = { ...aggregator, settings: { ...aggregator.settings, timing: TIMING } };
  const { batchMs, env = {}, services = [], ...rest } = options;
  const batches =
    batchMs === undefined ? store : { ...store, settings: { ...store.settings, intervalMs: batchMs } };
  const console = await startConsole({
    ...rest,
    env: { METRICS_INTERVAL_MS: "400", ANALYTICS_INTERVAL_MS: "500", ANALYTICS_CACHE_MS: "200", ...env },
    services: [
      subscriber,
      nodeFacts,
      tracker,
      messages,
      sender,
      drill,
      ackGateway,
      batches,
      metrics,
      runs,
      gateway,
      listener,
      ...services,
    ],
  });
  await console.running();
  // What a node finds when it begins to listen is history, which nobody acknowledges.
  for (const node of console.nodes) {
    await until(`${node.id} hears of messages`, async () => (await ask(node, "GET /health")).body.receiving);
  }
  return { console, nodes: console.nodes, told };
}

/** Calls an action on this very node. */
export function call<T>({ broker, id }: ConsoleNode, action: string, params: object = {}): Promise<T> {
  return broker.call<T, object>(action, params, { nodeID: id });
}

/** A request to the node's API, such as `GET /experiments/list`, below /api/analytics. */
export async function ask(
  { broker }: ConsoleNode,
  target: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const [method = "", path = ""] = target.split(" ");
  const response = await fetch(`${String(broker.metadata.url)}/api/analytics${path}`, {
    method,
    headers,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const json = response.headers.get("content-type")?.startsWith("application/json");
  return { status: response.status, headers: response.headers, text, body: json ? JSON.parse(text) : {} };
}

export async function start(node: ConsoleNode, run: StartRun): Promise<void> {
  const answer = await ask(node, "POST /aggregation/start", run);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.body.experiment_id, run.experiment_id);
}

export async function summary(node: ConsoleNode, id: string, query = ""): Promise<Summary> {
  const answer = await ask(node, `GET /experiments/${id}/summary${query}`);
  assert.equal(answer.status, 200, answer.text);
  return answer.body as unknown as Summary;
}

/** The run that a node says it is in. */
export async function running(node: ConsoleNode): Promise<AggregationStatus["experiment"]> {
  return (await call<AggregationStatus>(node, "analytics.aggregator.status")).experiment;
}

/** Waits until the node knows that the run is over; returns its row. */
export async function ended(node: ConsoleNode, id: string, limitMs = 60_000): Promise<ExperimentJson> {
  return until(
    `${id} is over at ${node.id}`,
    async () => {
      if ((await running(node)) !== null) return null;
      const { experiment } = await summary(node, id);
      return experiment !== null && experiment.ended_at !== null ? experiment : null;
    },
    limitMs,
  );
}
