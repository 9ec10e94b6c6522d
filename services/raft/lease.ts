/** @module A leader's right to serve reads: its log answered not long ago, and nobody else had written. */
import { FleetError } from "../../lib/errors.ts";
import { Unavailable } from "./engine/errors.ts";

export interface LeaseEnvironment {
  /** How long an answer of the log counts, in milliseconds. */
  readonly leaseMs: number;
  /** Last index of the log. Throws `Unavailable`. */
  readonly lastIndex: () => Promise<number>;
  readonly leading: () => boolean;
  /** Index up to which this leader has applied the log. */
  readonly applied: () => number;
  /** The log holds more than this leader has applied. */
  readonly overtaken: () => void;
}

export class Lease {
  readonly #env: LeaseEnvironment;
  /** When the log last answered, on the monotonic clock in ms: the moment of asking, not of the answer. */
  #contact = Number.NEGATIVE_INFINITY;
  /** What was asked before this moment of the same clock proves nothing any more. */
  #doubted = Number.NEGATIVE_INFINITY;
  #checking: Promise<boolean> | null = null;

  constructor(env: LeaseEnvironment) {
    this.#env = env;
  }

  /** Milliseconds since the log last answered. */
  get age(): number {
    return performance.now() - this.#contact;
  }

  /** The log has answered, to what was asked at this moment, in a way that only a leader is answered. */
  heard(asked: number): void {
    this.#contact = Math.max(this.#contact, asked);
  }

  /** Somebody else says to lead: no read is served before the log was asked anew. */
  doubt(): void {
    this.#doubted = performance.now();
  }

  /**
   * Returns once reads may be served: the log answered within the lease, or answers now that nobody else has
   * written. Throws `leader_unavailable` otherwise.
   */
  async ensure(): Promise<void> {
    if (this.#holds()) return;
    this.#checking ??= this.#check().finally(() => {
      this.#checking = null;
    });
    if (!(await this.#checking)) {
      throw new FleetError("leader_unavailable", "The group's leader cannot reach its log now; try again.");
    }
  }

  #holds(): boolean {
    return this.#env.leading() && this.age < this.#env.leaseMs && this.#contact >= this.#doubted;
  }

  async #check(): Promise<boolean> {
    const asked = performance.now();
    try {
      const last = await this.#env.lastIndex();
      if (last > this.#env.applied()) this.#env.overtaken();
      else this.heard(asked);
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
    }
    return this.#holds();
  }
}
