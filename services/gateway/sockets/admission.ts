/** @module Admission: a bounded amount of work at a time, first come first served. */

export interface AdmissionLimits {
  /** Weight that may be under way at a time; something heavier runs alone. */
  readonly capacity: number;
  /** Nothing begins while `load()` is above this. */
  readonly maxLoad: number;
  /** What counts beside the work under way, in the unit of the weights. */
  readonly load: () => number;
}

interface Waiting {
  readonly weight: number;
  readonly begin: () => void;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #queue: Waiting[] = [];
  #underWay = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Resolves when the work may begin; `done` must follow. Never resolves after `clear`. */
  begin(weight: number): Promise<void> {
    return new Promise((begin) => {
      this.#queue.push({ weight, begin });
      this.admit();
    });
  }

  done(weight: number): void {
    this.#underWay -= weight;
    this.admit();
  }

  /** To be called when the load may have fallen. */
  admit(): void {
    for (let next = this.#queue[0]; next; next = this.#queue[0]) {
      const load = this.#limits.load();
      if (load > this.#limits.maxLoad) return;
      if (this.#underWay > 0 && this.#underWay + next.weight + load > this.#limits.capacity) return;
      this.#queue.shift();
      this.#underWay += next.weight;
      next.begin();
    }
  }

  /** Forgets whoever waits. */
  clear(): void {
    this.#queue.length = 0;
  }
}
