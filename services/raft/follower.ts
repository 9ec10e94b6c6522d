/** @module A group's follower: a hot copy that applies the log and is ready to lead. */
import { setTimeout } from "node:timers/promises";
import { applyEntry, InconsistentLog } from "../../lib/conversation/apply.ts";
import { UnknownCommand } from "../../lib/conversation/commands.ts";
import { emptyState, type GroupState } from "../../lib/conversation/state.ts";
import type { GroupLog } from "./engine/engine.ts";
import { Corrupt, LogError } from "./engine/errors.ts";
import { decodeEntry, UnreadableEntry } from "./entry.ts";
import { RecoveryGap } from "./recovery.ts";

export interface FollowerHooks {
  /** A state from which the log can be applied; see `recoverState`. */
  recover(): Promise<GroupState>;
  /** The state differed from what the leader had at this index; it is being rebuilt. */
  diverged(index: number): void;
  /** The replica cannot go on; the sentence says why and what to do. */
  halted(problem: string): void;
  /** The stored log is damaged: the process must not go on. */
  corrupt(error: Corrupt): void;
  /** The log cannot be read now, or the state not be recovered; it is tried again. */
  unavailable(error: Error): void;
}

/** Applies what the log holds next to a state; returns false, leaving the state alone, when the state has diverged. */
export function applyBytes(state: GroupState, index: number, data: Uint8Array): boolean {
  const entry = decodeEntry(state.group, index, data);
  if (entry.digest[0] !== state.digest[0] || entry.digest[1] !== state.digest[1]) return false;
  applyEntry(state, { index, epoch: entry.epoch }, entry.commands);
  return true;
}

const RETRY_MS = 500;

/**
 * Applies a group's log for as long as it runs. A state that differs from the leader's is thrown away and rebuilt
 * once; if it differs again at the same index then the log was written by a leader that had diverged, and the log
 * wins. A copy that fell behind the log's beginning is rebuilt as well.
 */
export class Follower {
  #state: GroupState;
  /** Whether the state is one that the log can be applied to. */
  #recovered: boolean;
  /** Why it could not be recovered the last time; null once it is. */
  #obstacle: string | null = null;
  readonly #log: GroupLog;
  readonly #hooks: FollowerHooks;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;
  #problem: string | null = null;
  #rebuiltAt = 0;
  #waiters: { index: number; resolve: (reached: boolean) => void }[] = [];

  /** Without a state it begins by recovering one. */
  constructor(log: GroupLog, state: GroupState | null, hooks: FollowerHooks) {
    this.#log = log;
    this.#state = state ?? emptyState(log.group);
    this.#recovered = state !== null;
    this.#hooks = hooks;
  }

  get state(): GroupState {
    return this.#state;
  }

  /** Why it is halted; null while it is not. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Why it cannot be recovered now; null when it is recovered, or not tried yet. */
  get obstacle(): string | null {
    return this.#obstacle;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves with true once everything is applied that the log held at the call; false when that is not to be expected now. */
  async caughtUp(): Promise<boolean> {
    const { last } = await this.#log.bounds();
    if (this.#recovered && this.#state.applied >= last) return true;
    if (this.#problem !== null || this.#obstacle !== null || this.#stop.signal.aborted) return false;
    return new Promise((resolve) => this.#waiters.push({ index: last, resolve }));
  }

  /** Stops and hands the state over; nothing is applied to it any more by this follower. */
  async stop(): Promise<GroupState> {
    this.#stop.abort();
    await this.#running;
    return this.#state;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted && this.#problem === null) {
      try {
        if (!this.#recovered) await this.#recover();
        for await (const { index, data } of this.#log.follow(this.#state.applied + 1, signal)) {
          if (!this.#apply(index, data)) break;
          this.#wake();
        }
      } catch (error) {
        if (!this.#judge(error)) await setTimeout(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
    this.#disappoint();
  }

  async #recover(): Promise<void> {
    this.#state = await this.#hooks.recover();
    this.#recovered = true;
    this.#obstacle = null;
    this.#wake();
  }

  #disappoint(): void {
    for (const { resolve } of this.#waiters.splice(0)) resolve(false);
  }

  /** False when the state was thrown away and must be recovered. */
  #apply(index: number, data: Uint8Array): boolean {
    if (applyBytes(this.#state, index, data)) return true;
    if (this.#rebuiltAt === index) {
      const entry = decodeEntry(this.#state.group, index, data);
      applyEntry(this.#state, { index, epoch: entry.epoch }, entry.commands);
      return true;
    }
    this.#hooks.diverged(index);
    this.#rebuiltAt = index;
    this.#recovered = false;
    return false;
  }

  /** True when the error ends this replica; false when trying again may help. */
  #judge(error: unknown): boolean {
    if (error instanceof Corrupt) {
      this.#problem = error.message;
      this.#hooks.corrupt(error);
      return true;
    }
    if (error instanceof RecoveryGap) {
      if (this.#obstacle === null) this.#hooks.unavailable(error);
      this.#obstacle = error.message;
      // Whoever waits may do something else meanwhile.
      this.#disappoint();
      return false;
    }
    if (error instanceof LogError) {
      if (error.code === "truncated") this.#recovered = false;
      this.#hooks.unavailable(error);
      return false;
    }
    if (
      error instanceof UnknownCommand ||
      error instanceof UnreadableEntry ||
      error instanceof InconsistentLog
    ) {
      this.#problem = error.message;
      this.#hooks.halted(error.message);
      return true;
    }
    throw error;
  }

  #wake(): void {
    if (this.#waiters.length === 0) return;
    const { applied } = this.#state;
    const reached = this.#waiters.filter(({ index }) => index <= applied);
    if (reached.length === 0) return;
    this.#waiters = this.#waiters.filter(({ index }) => index > applied);
    for (const { resolve } of reached) resolve(true);
  }
}
