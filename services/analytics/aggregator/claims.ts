/** @module Who may begin a run next, as one node sees it: so that two starts at a time come to one run. */
import type { Claim, ClaimAnswer, ExperimentRow } from "../contract.ts";
import type { Following, Leading, RunState } from "./run.ts";

export type ClaimKey = Pick<Claim, "experiment_id" | "owner_node">;

/** A claim that leads to no run lapses. */
export const CLAIM_MS = 10_000;

export interface HeldClaim extends Claim {
  /** Monotonic, milliseconds. */
  readonly lapsesAt: number;
}

export interface Claimed {
  readonly held: HeldClaim | null;
  readonly answer: ClaimAnswer;
}

/** Grants unless a run, or another claim, is in the way. `nowMs` is monotonic. */
export function claim(held: HeldClaim | null, state: RunState, wanted: Claim, nowMs: number): Claimed {
  if (isInTheWay(state, wanted)) return { held, answer: refusal(holderOf(state.run)) };
  if (held !== null && held.lapsesAt > nowMs && !isSame(held, wanted))
    return { held, answer: refusal({ experiment_id: held.experiment_id, owner_node: held.owner_node }) };
  return {
    held: { ...wanted, lapsesAt: nowMs + CLAIM_MS },
    answer: { granted: true, holder: null },
  };
}

/** What is held after an owner gave its claim back. */
export function release(held: HeldClaim | null, given: ClaimKey): HeldClaim | null {
  return held !== null && isSame(held, given) ? null : held;
}

function isInTheWay(state: RunState, { owner_node, replaces }: Claim): state is Leading | Following {
  if (state.kind === "idle") return false;
  if (state.kind === "leading") return true;
  // Who asks for another run leads none: its end was only missed.
  return state.run.owner_node !== owner_node && state.run.id !== replaces;
}

function holderOf({ id, owner_node }: ExperimentRow): ClaimAnswer["holder"] {
  return { experiment_id: id, owner_node };
}

function isSame(a: ClaimKey, b: ClaimKey): boolean {
  return a.experiment_id === b.experiment_id && a.owner_node === b.owner_node;
}

function refusal(holder: ClaimAnswer["holder"]): ClaimAnswer {
  return { granted: false, holder };
}
