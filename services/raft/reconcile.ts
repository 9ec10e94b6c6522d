/** @module What a node should do next about a group: a pure decision from who is alive and who leads. */
import type { Role } from "./placement.ts";

export interface GroupView {
  /** What this node should be. */
  readonly desired: Role;
  /** What it is. */
  readonly held: "leader" | "follower" | "none";
  /** Whether the follower held has applied the log to its end once. */
  readonly caughtUp: boolean;
  /** Whether the follower held cannot go on. */
  readonly halted: boolean;
  /** Another live node that the registry shows as leading; null when there is none. */
  readonly otherLeader: string | null;
}

export type Step =
  /** Start a follower, or wait until the one held has caught up. */
  | { readonly kind: "follow" }
  /** Claim the group with the follower held. */
  | { readonly kind: "promote" }
  /** Ask the node that leads to hand over. */
  | { readonly kind: "take-over"; readonly from: string }
  /** Two lead by the registry: ask the log which. */
  | { readonly kind: "verify" }
  /** Drop the copy. */
  | { readonly kind: "stop" };

/** The next step for one group; null when all is as it should be. Leaders step down only when asked (take-over). */
export function nextStep(view: GroupView): Step | null {
  if (view.held === "leader") return view.otherLeader === null ? null : { kind: "verify" };
  // Dropped, it would be wanted again, and halt again.
  if (view.halted) return null;
  if (view.desired === "none") return view.held === "follower" ? { kind: "stop" } : null;
  if (view.held === "none" || !view.caughtUp) return { kind: "follow" };
  if (view.desired !== "leader") return null;
  return view.otherLeader === null ? { kind: "promote" } : { kind: "take-over", from: view.otherLeader };
}
