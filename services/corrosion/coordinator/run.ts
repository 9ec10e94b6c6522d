/** @module Carries a plan out, step by step, and tells everybody after each. */
import type { ClusterUpdate } from "../contract.ts";
import { advance, interrupt, nextStep, type Outcome, type Plan } from "./plan.ts";

/** A step on a node did not succeed; one sentence. */
export class StepFailed extends Error {
  override name = "StepFailed";
  /** Whether the node's configuration is surely as it was. */
  readonly untouched: boolean;

  constructor(message: string, untouched: boolean, options?: ErrorOptions) {
    super(message, options);
    this.untouched = untouched;
  }
}

export interface UpdatePort {
  /** Keeps the reservations. Throws `StepFailed` when another update has taken one of them. */
  renew(): Promise<void>;
  /** Configures and restarts a node's agent, and sees it well again. Throws `StepFailed`, or anything: then touched. */
  apply(nodeId: string, restarting: () => void, signal: AbortSignal): Promise<void>;
  /** Brings a node back to what it was before `apply`, its agent running. Returns what was done. Throws when it cannot. */
  rollBack(nodeId: string, signal: AbortSignal): Promise<string>;
  publish(update: ClusterUpdate): void;
  /** ISO 8601. */
  now(): string;
}

const STOPPED = "The node that led the update stopped.";

/** Returns the update as it ended: `interrupted` when the signal ended it. Never throws. */
export async function runUpdate(plan: Plan, port: UpdatePort, signal: AbortSignal): Promise<ClusterUpdate> {
  let current = plan;
  const happened = (nodeId: string, outcome: Outcome) => {
    current = advance(current, nodeId, outcome, port.now());
    port.publish(current.update);
  };
  for (let step = nextStep(current); step.kind !== "done"; step = nextStep(current)) {
    const { kind, node_id } = step;
    const outcome = await (kind === "apply" ? apply(node_id) : rollBack(node_id));
    if (signal.aborted) {
      const interrupted = interrupt(current.update, STOPPED, port.now());
      port.publish(interrupted);
      return interrupted;
    }
    happened(node_id, outcome);
  }
  return current.update;

  async function apply(nodeId: string): Promise<Outcome> {
    try {
      await port.renew();
    } catch (error) {
      return { kind: "failed", message: messageOf(error), untouched: true };
    }
    happened(nodeId, { kind: "applying" });
    try {
      let restarting = false;
      const restart = () => {
        if (!restarting && !signal.aborted) happened(nodeId, { kind: "restarting" });
        restarting = true;
      };
      await port.apply(nodeId, restart, signal);
      return { kind: "ready" };
    } catch (error) {
      const untouched = error instanceof StepFailed && error.untouched;
      return { kind: "failed", message: messageOf(error), untouched };
    }
  }

  async function rollBack(nodeId: string): Promise<Outcome> {
    const before = current.update.nodes.find(({ node_id }) => node_id === nodeId)?.message;
    try {
      await port.renew();
      const done = await port.rollBack(nodeId, signal);
      return { kind: "rolled_back", message: after(before, done) };
    } catch (error) {
      return {
        kind: "rollback_failed",
        message: after(before, messageOf(error)),
      };
    }
  }
}

/** What happened to the node first, then what was made of it. */
function after(before: string | null | undefined, done: string): string {
  return before ? `${before.replace(/\.?$/, ".")} ${done}` : done;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
