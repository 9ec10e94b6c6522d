/** @module What a start waits for, and what it says while it waits. */
import { setTimeout } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import type { ArchiveStatus } from "../services/conversations/contract.ts";
import type { AgentStatus } from "../services/corrosion/contract.ts";
import type { NodeReport } from "../services/raft/contract.ts";
import type { FleetStatus, Readiness } from "../services/raft/fleet-status.ts";

const POLL_MS = 25;
const LIMIT_MS = 60_000;
/** How often somebody who waits without a limit is told what for. */
const TELL_MS = 10_000;

export interface Patience {
  /** Default a minute. */
  readonly limitMs?: number;
  /** Is told every ten seconds what is missing. */
  readonly tell?: (missing: string) => void;
}

/** Waits until a node says that it is ready. Throws after the limit, with what it is waiting for. */
export function untilReady(broker: ServiceBroker, patience: Patience = {}): Promise<void> {
  const { nodeID } = broker;
  return poll(broker, patience, async () => {
    const ready = await broker.call<Readiness, object>("fleet.ops.ready", {}, { nodeID });
    if (ready.status === "ok") return null;
    if (ready.reason !== "groups_recovering") return ready.reason ?? ready.status;
    const { replicas } = await broker.call<NodeReport, object>("raft.topology.report", {}, { nodeID });
    const problem = replicas.find((replica) => replica.problem !== null)?.problem;
    return problem ? `${ready.reason}: ${problem}` : ready.reason;
  });
}

/** Waits until a node sees a leader of every group: its registry learns of them a moment after they lead. */
export function untilAllLed(broker: ServiceBroker): Promise<void> {
  return poll(broker, {}, async () => {
    const { leaders } = await broker.call<FleetStatus, object>(
      "fleet.ops.status",
      {},
      { nodeID: broker.nodeID },
    );
    const missing = leaders.filter((leader) => leader === null).length;
    return missing === 0 ? null : `${missing} groups have no leader`;
  });
}

/** Waits until a node has its archive, for so long; then says why it has not. */
export async function archiveProblem(broker: ServiceBroker, limitMs: number): Promise<string | null> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const { problem } = await broker.call<ArchiveStatus, object>(
      "archive.status",
      {},
      { nodeID: broker.nodeID },
    );
    if (problem === null || performance.now() > deadline) return problem;
    await setTimeout(POLL_MS);
  }
}

/** A node's agent once it is not starting any more, or says what keeps it from that, or as it is after so long. */
export async function agentSettled(broker: ServiceBroker, limitMs: number): Promise<AgentStatus> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const status = await broker.call<AgentStatus, object>(
      "corrosion.agent.status",
      {},
      { nodeID: broker.nodeID },
    );
    const settling = status.state === "stopped" || (status.state === "starting" && status.reason === null);
    if (!settling || performance.now() > deadline) return status;
    await setTimeout(POLL_MS);
  }
}

/** An agent in a few words, for the terminal. */
export function agentLine({ node_id, state, program, pid, api_url, reason }: AgentStatus): string {
  const well = state === "running" || state === "external";
  if (!well) return `${node_id} ${state.toUpperCase()}${reason === null ? "" : `: ${reason}`}`;
  return `${node_id} ${state} at ${api_url} (${program}${pid === null ? "" : `, pid ${pid}`})`;
}

/** Asks again and again until the answer is null; else it says what is missing. */
async function poll(
  broker: ServiceBroker,
  { limitMs = LIMIT_MS, tell }: Patience,
  missing: () => Promise<string | null>,
): Promise<void> {
  const began = performance.now();
  let toldAt = began;
  for (;;) {
    const what = await missing();
    if (what === null) return;
    const now = performance.now();
    if (now - began > limitMs) {
      throw new Error(`node ${broker.nodeID} is not ready after ${limitMs / 1000} s: ${what}`);
    }
    if (tell && now - toldAt > TELL_MS) {
      toldAt = now;
      tell(what);
    }
    await setTimeout(POLL_MS);
  }
}
