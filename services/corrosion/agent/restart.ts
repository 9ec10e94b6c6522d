/** @module One restart of an agent: its phases in order, and exactly one word on how it ended. */
import { setTimeout as delay } from "node:timers/promises";
import type { RestartPhase } from "../contract.ts";
import type { FirstStart } from "./life.ts";

/** From the announcement to the end of the agent: time for actors to let go of it. */
const GRACE_MS = 500;

export type RestartEvent =
  | { readonly kind: "restarting" }
  | { readonly kind: "ready" }
  | { readonly kind: "restart_failed"; readonly phase: RestartPhase; readonly reason: string };

export interface RestartSteps {
  /** Tells the node; must not throw. */
  announce(event: RestartEvent): void;
  /** Hears of each phase as it begins; must not throw. `start` itself tells of `health`. */
  reached(phase: RestartPhase): void;
  /** Returns when the agent is gone. */
  stop(): Promise<void>;
  /** Returns when it answers, or will not. */
  start(): Promise<FirstStart>;
  /** Returns when it serves subscriptions, or after a bounded time; throws when it ended meanwhile. */
  settle(signal: AbortSignal): Promise<void>;
}

/**
 * Runs the steps; an abort breaks the restart off between them. Announces `restarting`, and in the end exactly one of
 * `ready` and `restart_failed`, which is also returned. Never throws.
 */
export async function runRestart(
  steps: RestartSteps,
  signal: AbortSignal,
  graceMs = GRACE_MS,
): Promise<Exclude<RestartEvent, { kind: "restarting" }>> {
  let phase: RestartPhase = "stopping";
  const reach = (next: RestartPhase) => {
    phase = next;
    steps.reached(next);
  };
  let end: Exclude<RestartEvent, { kind: "restarting" }> | null = null;
  try {
    steps.announce({ kind: "restarting" });
    reach("stopping");
    await delay(graceMs, undefined, { signal });
    await steps.stop();
    reach("starting");
    signal.throwIfAborted();
    const started = await steps.start();
    signal.throwIfAborted();
    if (started.kind === "failed") {
      end = { kind: "restart_failed", phase: started.phase, reason: started.reason };
    } else {
      reach("settling");
      await steps.settle(signal);
      signal.throwIfAborted();
      end = { kind: "ready" };
    }
  } catch (error) {
    end = { kind: "restart_failed", phase, reason: reasonOf(error, signal) };
  } finally {
    end ??= { kind: "restart_failed", phase, reason: "The restart ended without an outcome." };
    steps.announce(end);
  }
  return end;
}

function reasonOf(error: unknown, signal: AbortSignal): string {
  const cause: unknown = signal.aborted ? signal.reason : error;
  return cause instanceof Error ? cause.message : String(cause);
}
