/** @module The steps of an update on one node: apply, see it well again, and undo. */
import { setTimeout as delay } from "node:timers/promises";
import { type FailureType, failureType } from "../../../lib/corrosion/failures.ts";
import type { AgentStatus, ConfigJob, NodeConfiguration } from "../contract.ts";
import type { NodePort } from "./node-calls.ts";
import { StepFailed } from "./run.ts";

/** Each node has so long for its step. */
export const STEP_MS = 60_000;
/** Between two looks at a node. */
export const POLL_MS = 250;
const REFUSALS: ReadonlySet<FailureType> = new Set(["busy", "agent_not_managed", "invalid_request"]);
/** How long an agent that is away may take to come back before a step on another node is given up. */
const OTHERS_UP_MS = 20_000;

export interface StepEnvironment {
  readonly hosts: readonly string[];
  readonly calls: (nodeId: string) => NodePort;
  /** Nodes whose agents ran when the update began. */
  readonly running: readonly string[];
  readonly stepMs: number;
  readonly pollMs: number;
}

/** What a node was like before its step. */
interface Before {
  readonly hosts: readonly string[];
  readonly backups: ReadonlySet<string>;
}

/** Steps of one update; remembers what each node was like before. */
export class Steps {
  readonly #env: StepEnvironment;
  readonly #before = new Map<string, Before>();

  constructor(env: StepEnvironment) {
    this.#env = env;
  }

  /** Throws `StepFailed`, or what a call throws. `restarting` is called when the agent goes down for it. */
  async apply(nodeId: string, restarting: () => void, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + this.#env.stepMs;
    const calls = this.#env.calls(nodeId);
    await this.#othersUp(nodeId, signal).catch((error: unknown) => {
      throw new StepFailed(messageOf(error), true, { cause: error });
    });
    const before = await calls.configuration().catch((error: unknown) => {
      throw new StepFailed(`${nodeId} does not say how it is configured: ${messageOf(error)}`, true, {
        cause: error,
      });
    });
    this.#before.set(nodeId, { hosts: before.hosts, backups: backupsOf(before) });
    signal.throwIfAborted();
    const job = await this.#watched(calls, restarting, signal, this.#applied(calls, left(deadline)));
    if (job.state !== "ready") throw new StepFailed(job.message, false);
    await this.#wellAgain(calls, deadline, signal);
    await this.#seesPeer(calls, deadline, signal);
  }

  /** Returns a sentence on what was done. Throws `StepFailed`, or what a call throws. */
  async rollBack(nodeId: string, signal: AbortSignal): Promise<string> {
    const deadline = performance.now() + this.#env.stepMs;
    const calls = this.#env.calls(nodeId);
    const before = this.#before.get(nodeId);
    if (!before) throw new StepFailed(`What ${nodeId} was like before is not known.`, true);
    await this.#idle(calls, deadline, signal);
    await this.#othersUp(nodeId, signal);
    const now = await calls.configuration();
    signal.throwIfAborted();
    // The oldest one of those that came since holds what there was before.
    const backup = now.backups.findLast(({ id }) => !before.backups.has(id));
    if (backup === undefined && sameHosts(now.hosts, before.hosts)) {
      if ((await calls.agent()).state !== "running") {
        const { ok, reason } = await calls.restart(left(deadline));
        if (!ok)
          throw new StepFailed(
            `The agent of ${nodeId} did not start again: ${reason ?? "no reason given"}.`,
            false,
          );
      }
      await this.#wellAgain(calls, deadline, signal);
      return "Its configuration was not changed.";
    }
    if (backup === undefined) throw new StepFailed(`${nodeId} has no backup from before the update.`, false);
    const job = await calls.rollback(backup.id, left(deadline));
    if (job.state !== "ready") throw new StepFailed(`The rollback failed: ${job.message}`, false);
    await this.#wellAgain(calls, deadline, signal);
    return "The configuration from before the update is back.";
  }

  /** Tells when the job restarts the agent: calls do not say so before they are over. */
  async #watched<T>(
    calls: NodePort,
    restarting: () => void,
    signal: AbortSignal,
    running: Promise<T>,
  ): Promise<T> {
    const over = new AbortController();
    const either = AbortSignal.any([over.signal, signal]);
    const watch = (async () => {
      while (!either.aborted) {
        const job = await calls.job().catch(() => null);
        if (job?.state === "restarting" && !either.aborted) return restarting();
        await delay(this.#env.pollMs, undefined, { signal: either }).catch(() => undefined);
      }
    })();
    try {
      return await Promise.race([running, aborted(signal)]);
    } finally {
      over.abort();
      await watch;
    }
  }

  async #applied(calls: NodePort, timeout: number): Promise<ConfigJob> {
    try {
      return await calls.applyBootstrap(this.#env.hosts, timeout);
    } catch (error) {
      throw new StepFailed(`${calls.nodeId}: ${messageOf(error)}`, wasRefused(error), { cause: error });
    }
  }

  /** Restarting an agent while another one is down would make two. */
  #othersUp(nodeId: string, signal: AbortSignal): Promise<void> {
    const others = this.#env.running.filter((id) => id !== nodeId).map(this.#env.calls);
    const deadline = performance.now() + Math.min(OTHERS_UP_MS, this.#env.stepMs);
    return this.#until(deadline, signal, async () => {
      const up = new Set(await runningAgents(others));
      const down = others.map((other) => other.nodeId).filter((id) => !up.has(id));
      if (down.length === 0) return null;
      return `The agent of ${down.join(", ")} is down, and a restart of ${nodeId} would make two.`;
    });
  }

  #wellAgain(calls: NodePort, deadline: number, signal: AbortSignal): Promise<void> {
    return this.#until(deadline, signal, async () => {
      const state = await stateOf(calls);
      if (state === "running") return null;
      return `The agent of ${calls.nodeId} is not well again in time (${state ?? "no answer"}).`;
    });
  }

  async #seesPeer(calls: NodePort, deadline: number, signal: AbortSignal): Promise<void> {
    if (!this.#env.running.some((id) => id !== calls.nodeId)) return;
    await this.#until(deadline, signal, async () => {
      const view = await calls.members(left(deadline)).catch(() => null);
      if (view?.error === null && view.subjects.some(({ state }) => state === "Alive")) return null;
      return `The agent of ${calls.nodeId} runs again and sees no other one Alive.`;
    });
  }

  /** Waits for a job that goes on although nobody waits for it any more. */
  #idle(calls: NodePort, deadline: number, signal: AbortSignal): Promise<void> {
    return this.#until(deadline, signal, async () => {
      const job = await calls.job();
      if (job === null || job.state === "ready" || job.state === "error") return null;
      return `${calls.nodeId} is still busy: ${job.message}`;
    });
  }

  /** Looks until there is nothing left to complain of. Throws the complaint as `StepFailed` at the deadline. */
  async #until(
    deadline: number,
    signal: AbortSignal,
    complaint: () => Promise<string | null>,
  ): Promise<void> {
    for (;;) {
      const problem = await complaint();
      if (problem === null) return;
      if (performance.now() >= deadline) throw new StepFailed(problem, false);
      await delay(this.#env.pollMs, undefined, { signal });
    }
  }
}

/** Which of the nodes have an agent that runs. */
export async function runningAgents(all: readonly NodePort[]): Promise<string[]> {
  const states = await Promise.all(all.map(stateOf));
  return all.filter((_calls, i) => isUp(states[i] ?? null)).map(({ nodeId }) => nodeId);
}

/** Null when the node does not answer: its agent has ended with it. */
async function stateOf(calls: NodePort): Promise<AgentStatus["state"] | null> {
  return (await calls.agent().catch(() => null))?.state ?? null;
}

function isUp(state: AgentStatus["state"] | null): boolean {
  return state === "running" || state === "external" || state === "unhealthy";
}

/** Whether the call was turned down before anything was done. */
function wasRefused(error: unknown): boolean {
  const type = failureType(error);
  return type !== null && REFUSALS.has(type);
}

function backupsOf({ backups }: NodeConfiguration): ReadonlySet<string> {
  return new Set(backups.map(({ id }) => id));
}

function sameHosts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((host, i) => host === b[i]);
}

function left(deadline: number): number {
  return Math.max(1, Math.ceil(deadline - performance.now()));
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const reason = () => reject(signal.reason as Error);
    if (signal.aborted) reason();
    else signal.addEventListener("abort", reason, { once: true });
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
