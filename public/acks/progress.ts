/** @module How far a message has come: who acknowledged it, who is waited for, and who is overdue. */
import type { AckStatus, ItemState } from "../../services/acks/contract.ts";
import type { Tone } from "../components/tone.ts";
import { msText, timeText } from "../data/wording.ts";

export type RowState =
  /** Nothing was sent: it would be waited for. */
  | { readonly kind: "ready" }
  | { readonly kind: "waiting" }
  | { readonly kind: "acked"; readonly at: string; readonly latencyMs: number; readonly late: boolean }
  | { readonly kind: "overdue" };

export interface AckRow {
  readonly nodeId: string;
  readonly state: RowState;
  /** False: it acknowledged without being waited for, as one that joined after the send. */
  readonly expected: boolean;
}

export interface Progress {
  /** Expected nodes that acknowledged, of how many. */
  readonly acked: number;
  readonly expected: number;
  /** All: good; some: warn; none: plain. */
  readonly tone: Extract<Tone, "good" | "warn" | "plain">;
  /** By node id, those that are expected first. */
  readonly rows: readonly AckRow[];
}

/** `known`: nodes that a message would wait for now; only of interest while nothing is tracked. */
export function progressOf(status: AckStatus, known: readonly string[]): Progress {
  if (status.latest_message === null) {
    const rows = sorted(known).map((nodeId) => row(nodeId, { kind: "ready" }));
    return { acked: 0, expected: rows.length, tone: "plain", rows };
  }
  const acks = new Map(status.acknowledgments.map((ack) => [ack.node_id, ack]));
  const over = isOver(status.state);
  const stateOf = (nodeId: string): RowState => {
    const ack = acks.get(nodeId);
    if (ack) return { kind: "acked", at: ack.timestamp, latencyMs: ack.latency_ms, late: ack.late };
    return { kind: over ? "overdue" : "waiting" };
  };
  const awaited = sorted(status.expected);
  const others = sorted(acks.keys()).filter((nodeId) => !status.expected.includes(nodeId));
  const acked = awaited.filter((nodeId) => acks.has(nodeId)).length;
  return {
    acked,
    expected: awaited.length,
    tone: acked === 0 ? "plain" : acked === awaited.length ? "good" : "warn",
    rows: [
      ...awaited.map((nodeId) => row(nodeId, stateOf(nodeId))),
      ...others.map((nodeId) => ({ ...row(nodeId, stateOf(nodeId)), expected: false })),
    ],
  };
}

/**
 * Nodes that the page has seen a message wait for, or get an acknowledgement of: a reset forgets the message, not
 * them. The same list when nothing is new in it.
 */
export function seenNodes(before: readonly string[], status: AckStatus | null): readonly string[] {
  if (status === null || status.latest_message === null) return before;
  const seen = sorted([...status.expected, ...status.acknowledgments.map(({ node_id }) => node_id)]);
  return seen.join("\n") === before.join("\n") ? before : seen;
}

/** What the message waits for, to stand behind its age; empty: nothing to say. */
export function waitText({ state, deadline_at, expected, acknowledgments }: AckStatus): string {
  if (state === "complete") {
    const latencies = acknowledgments
      .filter(({ node_id }) => expected.includes(node_id))
      .map(({ latency_ms }) => latency_ms);
    return latencies.length === 0 ? "" : `, everywhere after ${msText(Math.max(...latencies))}`;
  }
  if (state === null || deadline_at === null) return "";
  return `, ${isOver(state) ? "waited" : "waits"} until ${timeText(deadline_at)}`;
}

function isOver(state: ItemState | null): boolean {
  return state === "partial" || state === "unacked";
}

function row(nodeId: string, state: RowState): AckRow {
  return { nodeId, state, expected: true };
}

function sorted(nodeIds: Iterable<string>): string[] {
  return [...new Set(nodeIds)].sort();
}
