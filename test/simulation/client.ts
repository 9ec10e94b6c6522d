/** @module Simulated callers: what they send, where, and what they do with each kind of answer. */
import type { Draft } from "../../lib/conversation/commands.ts";
import { MAX_ENTRY_BYTES } from "../../services/raft/engine/engine.ts";
import type { Intent } from "./ledger.ts";
import type { Answer, Request, SimNode } from "./node.ts";
import type { World } from "./world.ts";

/** A draft that still lacks the number of its attempt. */
type Wish = (ticket: number) => Draft;

interface Operation extends Intent {
  readonly wish: Wish;
  /** Whether it may be sent again after an answer that leaves it open (keyed appends, and what repeats harmlessly). */
  readonly repeatable: boolean;
  /** Whether it goes on until it succeeds. */
  readonly insists: boolean;
  attempts: number;
}

/** The session that is made and written to when the faults have ended. */
export const PROOF = "proof";

/** Content that no entry can hold. */
const TOO_LARGE = "x".repeat(MAX_ENTRY_BYTES);

/** How often a caller tries in bad weather before it gives up. */
const ATTEMPTS = 6;

export class Client {
  readonly #name: string;
  readonly #world: World;
  readonly #open = new Set<Operation>();
  #believedLeader: SimNode;
  #count = 0;

  constructor(name: string, world: World) {
    this.#name = name;
    this.#world = world;
    this.#believedLeader = world.random.pick(world.nodes);
  }

  /** Operations without a final answer. */
  get open(): number {
    return this.#open.size;
  }

  /** Starts one operation, or a few in one call. */
  act(): void {
    const { ledger, random, sessions } = this.#world;
    if (this.#open.size >= 4) return;
    const session = random.pick(sessions);
    const roll = random.below(100);
    if (roll < (ledger.exists(session) ? 5 : 60)) {
      const create = this.#create(session);
      this.#send(random.chance(0.5) ? [create, this.#append(session)] : [create]);
    } else if (roll < 82) {
      this.#send(
        random.chance(0.25) ? [this.#append(session), this.#append(session)] : [this.#append(session)],
      );
    } else if (roll < 86) {
      this.#page(session);
    } else if (roll < 97) {
      this.#send([this.#read(session)]);
    } else {
      this.#send([this.#archive(session)]);
    }
  }

  /** Reads some messages; the node that is asked compares them with what was decided. */
  #page(session: string): void {
    const { ledger, random } = this.#world;
    const acked = ledger.acked(session);
    const node = this.#believedLeader;
    const [after, limit] = [random.below(acked + 1), 1 + random.below(5)];
    this.#world.traffic.callNode(node, () => node.leader?.read(session, after, limit, acked));
  }

  /** Makes a new session and writes to it, for as long as it takes. Used when the weather is good again. */
  prove(): void {
    this.#send([this.#create(PROOF), this.#append(PROOF, `${this.#name}-proof`)]);
  }

  #create(session: string): Operation {
    const { random } = this.#world;
    const user = session !== PROOF && random.chance(0.1) ? "other" : "user";
    return this.#operation("create", session, true, (ticket) => ({
      t: "create",
      session,
      user,
      agent: "agent",
      metadata: { ticket },
    }));
  }

  #append(session: string, ownKey?: string): Operation {
    const { random, ledger, keys } = this.#world;
    let key = ownKey;
    if (key === undefined && random.chance(0.6)) {
      key = keys.length > 0 && random.chance(0.05) ? random.pick(keys) : this.#world.nextId("k");
      keys.push(key);
    }
    const expect = random.chance(0.25) && !ownKey ? ledger.acked(session) : undefined;
    const role = random.chance(0.4) ? "agent" : "user";
    const large = random.chance(0.0005) && !ownKey ? { large: TOO_LARGE } : {};
    const sender = random.chance(0.03) && !ownKey ? "stranger" : role;
    return this.#operation(
      key === undefined ? "keyless append" : "keyed append",
      session,
      key !== undefined,
      (ticket) => ({
        t: "append",
        session,
        role,
        sender,
        kind: "text",
        content: { ticket, ...large },
        metadata: {},
        ...(key === undefined ? {} : { key }),
        ...(expect === undefined ? {} : { expect }),
      }),
      expect,
    );
  }

  #read(session: string): Operation {
    const seq = this.#world.random.below(this.#world.ledger.acked(session) + 2);
    const user = this.#world.random.chance(0.05) ? "stranger" : "user";
    return this.#operation("read", session, true, () => ({ t: "read", session, user, seq }));
  }

  #archive(session: string): Operation {
    return this.#operation("archive", session, true, () => ({ t: "archive", session }));
  }

  #operation(what: string, session: string, repeatable: boolean, wish: Wish, expect?: number): Operation {
    this.#count += 1;
    const name = `${this.#name}.${this.#count} (${what} to ${session})`;
    const insists = session === PROOF;
    const operation: Operation = { name, session, expect, wish, repeatable, insists, attempts: 0 };
    this.#open.add(operation);
    return operation;
  }

  #send(operations: readonly Operation[]): void {
    const world = this.#world;
    const node = this.#believedLeader;
    const requests = operations.map((operation): Request => {
      operation.attempts += 1;
      const ticket = world.nextTicket();
      const draft = operation.wish(ticket);
      world.ledger.sent(ticket, operation);
      world.trace(() => `${operation.name}, attempt ${ticket}, goes to ${node.name}`);
      let heard = false;
      const hear = (answer: Answer) => {
        if (heard) return;
        heard = true;
        this.#hear(operation, ticket, answer);
      };
      // A caller that hears nothing knows nothing: it may have been written, and may still be.
      const patience = () => hear({ kind: "refused", why: "maybe" });
      world.traffic.timer(null, "caller's patience ends", patience, () => heard);
      return { ticket, draft, answer: (answer) => world.traffic.answerCaller(() => hear(answer)) };
    });
    world.traffic.callNode(node, () => node.handle(requests));
  }

  #hear(operation: Operation, ticket: number, answer: Answer): void {
    const { defects, healing, random, nodes, trace } = this.#world;
    trace(() => `attempt ${ticket} heard ${answer.kind === "settled" ? answer.words : answer.why}`);
    const settled = answer.kind === "settled";
    const final = settled
      ? !(operation.insists && answer.words.startsWith("rejected"))
      : answer.why === "too_large" ||
        (answer.why === "maybe" && !operation.repeatable && !defects.resendsKeyless) ||
        (!healing && operation.attempts >= ATTEMPTS);
    if (final) {
      this.#open.delete(operation);
      return;
    }
    if (settled || answer.why !== "unavailable" || random.chance(0.3))
      this.#believedLeader = random.pick(nodes);
    this.#world.traffic.timer(null, "caller tries again", () => this.#send([operation]));
  }
}
