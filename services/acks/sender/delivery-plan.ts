/** @module What follows an attempt to deliver an acknowledgement: done, once more after a while, or given up. Pure. */

/** How an attempt went. */
export type Answer =
  | { readonly kind: "answered"; readonly status: number; readonly detail: string | null }
  /** No whole answer came. */
  | { readonly kind: "unanswered"; readonly reason: string }
  /** There was no request: the endpoint is not the originator's. */
  | { readonly kind: "not_allowed"; readonly reason: string };

/**
 * Why an acknowledgement is given up. `unavailable`: the originator may answer later. `dropped`: there was no room for
 * it. `refused`: the originator does not want it; only when the row comes again is it asked again.
 */
export type Failure = "unavailable" | "refused" | "not_allowed" | "dropped";

export type Verdict =
  | { readonly kind: "acked" }
  | { readonly kind: "retry"; readonly waitMs: number; readonly reason: string }
  | { readonly kind: "failed"; readonly failure: Failure; readonly reason: string };

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 8000;
/** Not found is no refusal: an acknowledgement may be there before its message is tracked. */
const PASSING: ReadonlySet<number> = new Set([404, 408, 429]);

/** What to do after the `attempt`th attempt (1, 2…) of `attempts` at most; `random` is in [0, 1). */
export function verdictOf(answer: Answer, attempt: number, attempts: number, random: number): Verdict {
  if (answer.kind === "not_allowed") return { kind: "failed", failure: "not_allowed", reason: answer.reason };
  const reason = answer.kind === "answered" ? sentence(answer) : answer.reason;
  if (answer.kind === "answered") {
    const { status } = answer;
    if (status >= 200 && status < 300) return { kind: "acked" };
    if (!PASSING.has(status) && status < 500) return { kind: "failed", failure: "refused", reason };
  }
  if (attempt < attempts) return { kind: "retry", waitMs: retryWaitMs(attempt, random), reason };
  const unknown = answer.kind === "answered" && answer.status === 404;
  return { kind: "failed", failure: unknown ? "refused" : "unavailable", reason };
}

/** Wait after the `attempt`th attempt (1, 2…): `rand(0.5..1) * min(250 * 2^(attempt-1), 8000)` milliseconds. */
export function retryWaitMs(attempt: number, random: number): number {
  return (0.5 + random / 2) * Math.min(FIRST_WAIT_MS * 2 ** (attempt - 1), LONGEST_WAIT_MS);
}

function sentence({ detail, status }: Answer & { readonly kind: "answered" }): string {
  return `the originator answered ${status}${detail === null ? "" : `: ${detail}`}`;
}
