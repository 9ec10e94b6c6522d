/** @module What this node owes others: the acknowledgements of what it received. */
import type { Reception } from "../../../services/acks/contract.ts";

export interface SenderState {
  /** `delivering`: some wait for their delivery; `failing`: none waits, and the newest one failed. */
  readonly kind: "idle" | "delivering" | "failing";
  readonly pending: number;
  readonly acked: number;
  readonly failed: number;
  /** Why the newest failure failed; null: none did. */
  readonly lastError: string | null;
}

/** Of the receptions of `nodeId`, the latest received first. */
export function senderState(receptions: readonly Reception[], nodeId: string): SenderState {
  const own = receptions.filter(({ node_id }) => node_id === nodeId);
  const count = (state: Reception["ack_state"]) => own.filter(({ ack_state }) => ack_state === state).length;
  const [pending, acked, failed] = [count("pending"), count("acked"), count("failed")];
  return {
    kind: pending > 0 ? "delivering" : own[0]?.ack_state === "failed" ? "failing" : "idle",
    pending,
    acked,
    failed,
    lastError: own.find(({ ack_state }) => ack_state === "failed")?.last_error ?? null,
  };
}
