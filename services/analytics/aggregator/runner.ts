/** @module Keeps a node's run going: reads the clocks, sets the one timer, and has done what was decided. */
import type { Claim, ClaimAnswer, CurrentRun, ExperimentRow } from "../contract.ts";
import { type ClaimKey, claim, type HeldClaim, release } from "./claims.ts";
import {
  decide,
  IDLE,
  type Instant,
  nextAt,
  type RunCommand,
  type RunInput,
  type RunState,
  type RunTiming,
} from "./run.ts";

export interface RunnerEnvironment {
  readonly now: () => Instant;
  readonly timing: RunTiming;
  /** Does what was decided, in this order; must not throw. */
  readonly perform: (command: RunCommand) => void;
}

export class Runner {
  readonly #env: RunnerEnvironment;
  #state: RunState = IDLE;
  #claim: HeldClaim | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(env: RunnerEnvironment) {
    this.#env = env;
  }

  get current(): CurrentRun | null {
    return this.#state.kind === "idle" ? null : { role: this.#state.kind, run: this.#state.run };
  }

  claim(wanted: Claim): ClaimAnswer {
    const { answer, held } = claim(this.#claim, this.#state, wanted, this.#env.now().ms);
    this.#claim = held;
    return answer;
  }

  release(given: ClaimKey): void {
    this.#claim = release(this.#claim, given);
  }

  /** Begins a run that this node leads, unless it is in one by now. Returns whether it does. */
  lead(run: ExperimentRow): boolean {
    if (this.#state.kind === "leading") return false;
    this.take({ kind: "lead", run });
    return true;
  }

  /** The outcome of a message of a run; one of a run that is over counts for nothing. */
  outcome(run: ExperimentRow, failure: string | null): void {
    const own = this.#state.kind === "leading" ? this.#state.run : null;
    if (own?.id === run.id && own.started_at === run.started_at) this.take({ kind: "outcome", failure });
  }

  /** Ends the run of the experiment if this node leads it. Returns it as it ended; null: it leads none such. */
  finish(experimentId: string): ExperimentRow | null {
    if (this.#state.kind !== "leading" || this.#state.run.id !== experimentId) return null;
    const commands = this.take({ kind: "stop", status: "stopped", error: null });
    return commands.find(({ kind }) => kind === "end")?.run ?? null;
  }

  /** Returns what was decided, which is being done by then. */
  take(input: RunInput): readonly RunCommand[] {
    const { commands, state } = decide(this.#state, input, this.#env.now(), this.#env.timing);
    this.#state = state;
    this.#arm();
    for (const command of commands) this.#env.perform(command);
    return commands;
  }

  #arm(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    const at = nextAt(this.#state);
    if (at === null) return;
    const wait = Math.max(0, at - this.#env.now().ms);
    this.#timer = setTimeout(() => this.take({ kind: "time" }), wait);
  }

  /** Ends what this node leads as interrupted, and its part in another's run. */
  close(): void {
    if (this.#state.kind === "leading") {
      this.take({ kind: "stop", status: "interrupted", error: "Its owner was stopped." });
    }
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#state = IDLE;
  }
}
