/** @module The run that is on at present, as its owner tells all nodes: messages of that time belong to it. */
import type { ExperimentControl } from "../../analytics/contract.ts";

/** A run whose owner says nothing for so long is over. */
export const SILENCE_MS = 35_000;

export class CurrentRun {
  #run: { readonly id: string; readonly heardAt: number } | null = null;

  /** `now` in milliseconds of a clock that never jumps. */
  take({ experiment_id, type }: ExperimentControl, now: number): void {
    if (type !== "stop") this.#run = { id: experiment_id, heardAt: now };
    else if (this.#run?.id === experiment_id) this.#run = null;
  }

  /** Id of the run; null while there is none. */
  at(now: number): string | null {
    return this.#run !== null && now - this.#run.heardAt < SILENCE_MS ? this.#run.id : null;
  }
}
