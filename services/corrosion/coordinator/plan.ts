/**
 * @module A cluster update as a state machine: which node is next, and what its outcome means for the others. One node
 * at a time; a failure undoes what was changed, last first; nothing goes on while a node could not be brought back.
 */
import type { ClusterUpdate, UpdateNodeState, UpdateState } from "../contract.ts";

export interface Plan {
  readonly update: ClusterUpdate;
  /** Nodes whose configuration may be another one than before, in the order in which they were touched. */
  readonly changed: readonly string[];
}

export type Step =
  | { readonly kind: "apply"; readonly node_id: string }
  | { readonly kind: "roll_back"; readonly node_id: string }
  | { readonly kind: "done" };

/** What happened on the node of the step under way. */
export type Outcome =
  | { readonly kind: "applying" }
  | { readonly kind: "restarting" }
  | { readonly kind: "ready" }
  /** `untouched`: its configuration is surely as it was. */
  | { readonly kind: "failed"; readonly message: string; readonly untouched: boolean }
  | { readonly kind: "rolled_back"; readonly message: string }
  | { readonly kind: "rollback_failed"; readonly message: string };

export interface NewUpdate {
  readonly update_id: string;
  readonly initiator: string;
  readonly targets: readonly string[];
  readonly hosts: readonly string[];
}

const FINAL: ReadonlySet<UpdateState> = new Set([
  "succeeded",
  "rolled_back",
  "rollback_failed",
  "interrupted",
]);

/** Whether nothing will happen to the update any more. */
export function isOver({ state }: ClusterUpdate): boolean {
  return FINAL.has(state);
}

/** Nodes in the order of their ids, the initiator last: it watches the others until then. `at` is ISO 8601. */
export function newPlan({ hosts, initiator, targets, update_id }: NewUpdate, at: string): Plan {
  const others = [...new Set(targets)].filter((id) => id !== initiator).sort();
  const order = targets.includes(initiator) ? [...others, initiator] : others;
  const nodes = order.map((node_id) => ({
    node_id,
    status: "pending" as const,
    message: null,
    timestamp: at,
  }));
  return { update: { update_id, initiator, hosts, state: "running", nodes }, changed: [] };
}

export function nextStep({ changed, update }: Plan): Step {
  if (update.state === "running") {
    const next = update.nodes.find(({ status }) => status === "pending");
    return next ? { kind: "apply", node_id: next.node_id } : { kind: "done" };
  }
  const last = changed.at(-1);
  if (update.state === "rolling_back" && last !== undefined) return { kind: "roll_back", node_id: last };
  return { kind: "done" };
}

/** The plan after an outcome on a node. */
export function advance(plan: Plan, nodeId: string, outcome: Outcome, at: string): Plan {
  const set = (status: UpdateNodeState, message: string | null) =>
    withNode(plan.update, nodeId, status, message, at);
  const without = plan.changed.filter((id) => id !== nodeId);
  switch (outcome.kind) {
    case "applying":
      return { update: set("applying", null), changed: [...without, nodeId] };
    case "restarting":
      return { ...plan, update: set("restarting", null) };
    case "ready": {
      const update = set("ready", null);
      const pending = update.nodes.some(({ status }) => status === "pending");
      return { ...plan, update: { ...update, state: pending ? "running" : "succeeded" } };
    }
    case "failed": {
      const changed = outcome.untouched ? without : plan.changed;
      const state = changed.length > 0 ? "rolling_back" : "rolled_back";
      return { update: { ...skipPending(set("failed", outcome.message), at), state }, changed };
    }
    case "rolled_back": {
      const update = set("rolled_back", outcome.message);
      return {
        update: { ...update, state: without.length > 0 ? "rolling_back" : "rolled_back" },
        changed: without,
      };
    }
    case "rollback_failed":
      // Its agent may be down: another restart would make two.
      return { ...plan, update: { ...set("failed", outcome.message), state: "rollback_failed" } };
  }
}

/** The update of an initiator that is lost; one that is over stays as it is. */
export function interrupt(update: ClusterUpdate, message: string, at: string): ClusterUpdate {
  if (isOver(update)) return update;
  const nodes = update.nodes.map((node) =>
    node.status === "applying" || node.status === "restarting"
      ? { ...node, status: "failed" as const, message, timestamp: at }
      : node,
  );
  return { ...skipPending({ ...update, nodes }, at), state: "interrupted" };
}

function skipPending(update: ClusterUpdate, at: string): ClusterUpdate {
  const nodes = update.nodes.map((node) =>
    node.status === "pending" ? { ...node, status: "skipped" as const, timestamp: at } : node,
  );
  return { ...update, nodes };
}

function withNode(
  update: ClusterUpdate,
  nodeId: string,
  status: UpdateNodeState,
  message: string | null,
  timestamp: string,
): ClusterUpdate {
  const nodes = update.nodes.map((node) =>
    node.node_id === nodeId ? { node_id: nodeId, status, message, timestamp } : node,
  );
  return { ...update, nodes };
}
