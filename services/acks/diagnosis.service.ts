/** @module Where an acknowledgement gets stuck: each part of its way, looked at from this node. */
import type { Context, Service, ServiceBroker } from "moleculer";
import { isoMicros, systemClock } from "../../lib/clock.ts";
import { CorrosionError } from "../../lib/corrosion/failures.ts";
import { formatHostPort, parseHostPort } from "../../lib/host-port.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { defineService } from "../../lib/service.ts";
import type { AgentStatus, SubscriberStatus } from "../corrosion/contract.ts";
import type { AckStatus, Diagnosis, Probe, Probed, SenderStatus } from "./contract.ts";
import { probe } from "./diagnosis/probe.ts";
import { expectedNodes } from "./known-nodes.ts";

const ANSWER_MS = 2000;
/** The id of no message: an ack API that is well says that it does not know it. */
const NO_MESSAGE = "diagnosis_0";

type Check = Diagnosis["checks"][number];

export default defineService<Service>({
  name: "acks.diagnosis",

  actions: {
    /** `Probe` -> `Probed`. Throws `invalid_request` for what is no endpoint. */
    probe: {
      visibility: "public",
      params: {
        endpoint: { type: "string", nullable: true },
        pk: { type: "string", min: 1, max: 512 },
        ack_node_id: { type: "string", nullable: true },
      },
      handler(ctx: Context<Probe>): Promise<Probed> {
        const { broker } = this;
        const endpoint = ctx.params.endpoint ?? advertised(broker, broker.nodeID);
        return probeAt(broker, endpoint, ctx.params.pk, ctx.params.ack_node_id ?? broker.nodeID);
      },
    },

    /** `Diagnosis`. */
    report: {
      params: {},
      async handler(): Promise<Diagnosis> {
        return { node_id: this.broker.nodeID, checks: await checks(this.broker) };
      },
    },
  },
});

function advertised(broker: ServiceBroker, nodeId: string): string | null {
  const own = nodeId === broker.nodeID ? broker.metadata : broker.registry.nodes.get(nodeId)?.metadata;
  return typeof own?.ack_endpoint === "string" ? own.ack_endpoint : null;
}

async function probeAt(
  broker: ServiceBroker,
  given: string | null,
  pk: string,
  ackNodeId: string,
): Promise<Probed> {
  const parsed = given === null ? null : parseHostPort(given);
  if (parsed === null || parsed.port === 0) {
    const problem = given === null ? "this node has no ack API" : "endpoint is no host:port";
    throw new CorrosionError("invalid_request", `${problem}.`, { fields: { endpoint: problem } });
  }
  const endpoint = formatHostPort(parsed);
  const nodes = broker.registry.nodes.toArray().map(({ id }) => id);
  // Only nodes of the cluster get the cluster's token to see.
  const ours = [broker.nodeID, ...nodes].some((id) => advertised(broker, id) === endpoint);
  return probe({
    endpoint,
    pk,
    ackNodeId,
    receiptTimestamp: isoMicros(systemClock()),
    token: ours ? runtimeOf(broker).config.console.ack.token : null,
  });
}

async function checks(broker: ServiceBroker): Promise<Check[]> {
  const { nodeID } = broker;
  const check = async (name: string, look: () => Promise<Omit<Check, "name">>): Promise<Check> => {
    try {
      return { name, ...(await look()) };
    } catch (error) {
      return { name, ok: false, detail: error instanceof Error ? error.message : String(error) };
    }
  };
  const ask = <T>(action: string) => broker.call<T, object>(action, {}, { nodeID, timeout: ANSWER_MS });
  const others = await expectedNodes(broker);
  return Promise.all([
    check("agent", async () => {
      const { reason, state } = await ask<AgentStatus>("corrosion.agent.status");
      return { ok: state === "running" || state === "external", detail: because(state, reason) };
    }),
    check("subscriber", async () => {
      const { reason, rows, state } = await ask<SubscriberStatus>("corrosion.subscriber.status");
      return { ok: state === "connected", detail: because(`${state}, ${rows} rows`, reason) };
    }),
    check("expected nodes", async () => ({
      ok: others.length > 0,
      detail: others.join(", ") || "none: nobody is there to acknowledge",
    })),
    check("own ack API", () => reached(broker, nodeID)),
    ...others.map((id) => check(`ack API of ${id}`, () => reached(broker, id))),
    check("tracker", async () => {
      const { ack_count, expected, latest_message, state } = await ask<AckStatus>("acks.tracker.status");
      if (latest_message === null) return { ok: true, detail: "no message yet" };
      const detail = `${latest_message.pk} is ${state}, ${ack_count} acknowledgements of ${expected.length}`;
      return { ok: state === "complete" || state === "pending", detail };
    }),
    check("sender", async () => {
      const { dropped, failed, queued, sending } = await ask<SenderStatus>("acks.sender.status");
      const detail = `${queued} queued, ${sending} under way, ${failed} failed, ${dropped} dropped`;
      return { ok: failed === 0 && dropped === 0, detail };
    }),
  ]);
}

/** A node acknowledges to others, and they to it: both ways have to be open. */
async function reached(broker: ServiceBroker, nodeId: string): Promise<Omit<Check, "name">> {
  const endpoint = advertised(broker, nodeId);
  if (endpoint === null) return { ok: false, detail: "it advertises none" };
  const { answer, elapsed_ms, status } = await probeAt(broker, endpoint, NO_MESSAGE, broker.nodeID);
  // It refuses its own acknowledgement, and knows no such message of another node.
  const ok = status === (nodeId === broker.nodeID ? 403 : 404);
  return {
    ok,
    detail: ok
      ? `${endpoint} answers in ${elapsed_ms} ms`
      : `${endpoint}: ${status === null ? "" : `${status} `}${answer}`,
  };
}

function because(text: string, reason: string | null): string {
  return reason === null ? text : `${text}: ${reason}`;
}
