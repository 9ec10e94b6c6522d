/** @module What a node uses while a run is on: CPU, memory, event loop, connections to its agent, queued acks. */
import type { Context, Service } from "moleculer";
import { systemClock } from "../../lib/clock.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { defineService } from "../../lib/service.ts";
import type { SenderStatus } from "../acks/contract.ts";
import type { AgentConnections } from "../corrosion/contract.ts";
import type { CurrentMetrics, SystemMetric } from "./contract.ts";
import { ProcessMeter } from "./metrics/process.ts";
import { Sampler } from "./metrics/sampler.ts";

const CALL_MS = 2000;

interface Sampling {
  readonly experimentId: string;
  readonly sampler: Sampler;
}

type MetricsService = Service & {
  meter: ProcessMeter | null;
  sampling: Sampling | null;
  last: CurrentMetrics["sample"];
};

export default defineService<MetricsService>({
  name: "metrics.system",

  actions: {
    /** Samples this node for the experiment from now on, instead of for another one. */
    start: {
      params: { experiment_id: "string" },
      async handler(ctx: Context<{ experiment_id: string }>): Promise<{ experiment_id: string }> {
        const { experiment_id } = ctx.params;
        await end(this);
        begin(this, experiment_id);
        return { experiment_id };
      },
    },

    /** Takes the last sample and samples no more. Returns the experiment that it was for; null: none. */
    stop: {
      params: {},
      async handler(): Promise<{ experiment_id: string | null }> {
        const experiment_id = this.sampling?.experimentId ?? null;
        await end(this);
        return { experiment_id };
      },
    },

    /** `CurrentMetrics`: the newest sample, of the run that is on or of the one before. */
    current: {
      params: {},
      handler(): CurrentMetrics {
        return {
          node_id: this.broker.nodeID,
          experiment_id: this.sampling?.experimentId ?? null,
          pid: process.pid,
          sample: this.last,
        };
      },
    },
  },

  events: {
    /** While the actors that a sample asks, and the store that keeps it, are still there. */
    async "fleet.stopping"() {
      await end(this);
    },
  },

  created() {
    this.meter = null;
    this.sampling = null;
    this.last = null;
  },

  async stopped() {
    await end(this);
  },
});

function begin(service: MetricsService, experimentId: string): void {
  const { metricsIntervalMs } = runtimeOf(service.broker).config.console;
  const meter = new ProcessMeter();
  service.meter = meter;
  const sample = () => take(service, meter, experimentId);
  service.sampling = { experimentId, sampler: new Sampler({ intervalMs: metricsIntervalMs, sample }) };
}

async function end(service: MetricsService): Promise<void> {
  const { meter, sampling } = service;
  service.sampling = null;
  service.meter = null;
  await sampling?.sampler.stop();
  meter?.stop();
}

/** One sample, written down. What cannot be told is left out with a line in the log: a figure is never made up. */
async function take(service: MetricsService, meter: ProcessMeter, experimentId: string): Promise<void> {
  const { broker, logger } = service;
  const here = { nodeID: broker.nodeID, timeout: CALL_MS };
  try {
    const use = meter.read();
    const [agent, sender] = await Promise.all([
      broker.call<AgentConnections, object>("corrosion.node.connections", {}, here),
      broker.call<SenderStatus, object>("acks.sender.status", {}, here),
    ]);
    const metric: SystemMetric = {
      experiment_id: experimentId,
      node_id: broker.nodeID,
      ...use,
      corrosion_connections: agent.open,
      message_queue_length: sender.queued,
      inserted_at: systemClock(),
    };
    service.last = metric;
    await broker.call("analytics.store.record", { metrics: [metric] }, here);
  } catch (error) {
    logger.warn("a sample of the system's metrics was not taken", {
      experiment: experimentId,
      error: String(error),
    });
  }
}
