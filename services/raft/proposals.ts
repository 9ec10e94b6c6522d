/** @module Proposals that wait for their leader's decision, by ticket: those of callers, and the leader's own upkeep. */
import type { Outcome } from "../../lib/conversation/apply.ts";
import type { Command } from "../../lib/conversation/commands.ts";
import type { ProposeResult } from "./contract.ts";
import type { History } from "./history.ts";
import type { Refusal } from "./leader.ts";
import { resultOf } from "./proposal-result.ts";

interface Waiter {
  readonly resolve: (result: ProposeResult | Promise<ProposeResult>) => void;
  /** Others of its call, which need no archive, wait for this answer too. */
  readonly shared: boolean;
}

export interface ProposalsEnvironment {
  readonly history: Pick<History, "one" | "archived">;
  /** Node that may lead when this one does not; null when unknown. */
  readonly hint: () => string | null;
}

export class Proposals {
  readonly #env: ProposalsEnvironment;
  readonly #waiters = new Map<number, Waiter>();
  readonly #upkeep = new Map<number, (outcome: Outcome | null) => void>();
  #nextTicket = 1;

  constructor(env: ProposalsEnvironment) {
    this.#env = env;
  }

  /** What a caller is told. `propose` gets the ticket; `shared`: see `Waiter`. */
  ask(shared: boolean, propose: (ticket: number) => void): Promise<ProposeResult> {
    return new Promise((resolve) => {
      const ticket = this.#nextTicket++;
      this.#waiters.set(ticket, { resolve, shared });
      propose(ticket);
    });
  }

  /** The outcome of a command of the leader's own; null when it was not committed, as far as is known. */
  askUpkeep(propose: (ticket: number) => void): Promise<Outcome | null> {
    return new Promise((resolve) => {
      const ticket = this.#nextTicket++;
      this.#upkeep.set(ticket, resolve);
      propose(ticket);
    });
  }

  /** It was committed. */
  settle(ticket: number, outcome: Outcome, command: Command): void {
    if (this.#upkeep.has(ticket)) return this.#settleUpkeep(ticket, outcome);
    const waiter = this.#waiters.get(ticket);
    const { history } = this.#env;
    const asksArchive = outcome.kind === "deduped" && history.archived(outcome.session, outcome.seq);
    const result: ProposeResult | Promise<ProposeResult> =
      waiter?.shared && asksArchive
        ? { kind: "refused", why: "alone", hint: null }
        : resultOf(outcome, command, history);
    this.#answer(ticket, result);
  }

  refuse(ticket: number, why: Refusal): void {
    if (this.#upkeep.has(ticket)) return this.#settleUpkeep(ticket, null);
    this.#answer(
      ticket,
      why === "maybe" ? { kind: "maybe" } : { kind: "refused", why, hint: this.#env.hint() },
    );
  }

  #settleUpkeep(ticket: number, outcome: Outcome | null): void {
    this.#upkeep.get(ticket)?.(outcome);
    this.#upkeep.delete(ticket);
  }

  #answer(ticket: number, result: ProposeResult | Promise<ProposeResult>): void {
    this.#waiters.get(ticket)?.resolve(result);
    this.#waiters.delete(ticket);
  }
}
