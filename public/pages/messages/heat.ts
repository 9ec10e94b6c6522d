/** @module How often which node received which of the newest messages. */
import type { Reception, Receptions } from "../../../services/acks/contract.ts";
import type { MessageRow } from "../../../services/corrosion/contract.ts";

/** Messages, the newest first. */
export const COLUMNS = 20;
/** What a node lists of itself. */
const KEPT_OWN = 500;

export type Cell =
  | { readonly kind: "count"; readonly count: number }
  /** It sent the message: a node does not count what is its own. */
  | { readonly kind: "sent" }
  /** The node does not answer. */
  | { readonly kind: "unknown" };

export interface HeatRow {
  readonly nodeId: string;
  /** One a message, in their order. */
  readonly cells: readonly Cell[];
}

export interface Heat {
  readonly messages: readonly MessageRow[];
  /** By node id. */
  readonly rows: readonly HeatRow[];
}

/** `rows`: all messages that are known, newest first. */
export function heatOf(rows: readonly MessageRow[], { receptions, ...answer }: Receptions): Heat {
  const messages = rows.slice(0, COLUMNS);
  const counts = new Map<string, Map<string, number>>();
  for (const { node_id, message_pk, reception_count } of receptions) {
    const own = counts.get(node_id) ?? new Map<string, number>();
    counts.set(node_id, own.set(message_pk, reception_count));
  }
  const missing = new Set(answer.nodes_missing);
  const nodeIds = new Set([...answer.nodes_reporting, ...missing, ...counts.keys()]);
  const cellOf = (nodeId: string, { pk, node_id }: MessageRow): Cell => {
    if (node_id === nodeId) return { kind: "sent" };
    const count = counts.get(nodeId)?.get(pk);
    if (count === undefined && missing.has(nodeId)) return { kind: "unknown" };
    return { kind: "count", count: count ?? 0 };
  };
  return {
    messages,
    rows: [...nodeIds]
      .sort()
      .map((nodeId) => ({ nodeId, cells: messages.map((message) => cellOf(nodeId, message)) })),
  };
}

export type Shade = 0 | 1 | 2 | 3 | 4;

/** None, one, two, three or four, five or more. */
export function shadeOf(count: number): Shade {
  if (count >= 5) return 4;
  if (count >= 3) return 3;
  return count === 2 ? 2 : count === 1 ? 1 : 0;
}

/** The answer after a reception of the node that gave it. */
export function receptionsAfter(answer: Receptions, reception: Reception): Receptions {
  let own = 1;
  const others = answer.receptions.filter(({ node_id, message_pk }) => {
    if (node_id !== reception.node_id) return true;
    if (message_pk === reception.message_pk) return false;
    own += 1;
    // The latest received come first: what is beyond is the oldest.
    return own <= KEPT_OWN;
  });
  const receptions = [reception, ...others];
  return { ...answer, receptions, count: receptions.length };
}
