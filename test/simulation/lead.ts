/** @module One leader epoch of a simulated node: the machine, its archiver, and what brings sessions back to RAM. */
import pLimit from "p-limit";
import type { Outcome } from "../../lib/conversation/apply.ts";
import type { Command, UpkeepDraft } from "../../lib/conversation/commands.ts";
import type { GroupState, SessionState } from "../../lib/conversation/state.ts";
import { FleetError } from "../../lib/errors.ts";
import { Archiver } from "../../services/raft/archiver.ts";
import { LogError } from "../../services/raft/engine/errors.ts";
import { History } from "../../services/raft/history.ts";
import { HotMessages } from "../../services/raft/hot-messages.ts";
import { type EndReason, GroupLeader, type LeaderPort } from "../../services/raft/leader.ts";
import { Residency } from "../../services/raft/residency.ts";
import { hotMessage, messageView } from "../../services/raft/views.ts";
import { archiveLink } from "./archive-link.ts";
import { spoil } from "./defects.ts";
import { summary } from "./ledger.ts";
import { must } from "./naive-group.ts";
import type { Answer, Request, SimNode } from "./node.ts";
import { quietLogger, quietMetrics } from "./quiet.ts";
import type { World } from "./world.ts";

/** Bodies that stay in RAM: so few that most are read from the log. */
const HOT_BYTES = 2_000;

/** What `LeaderDriver` is to a real node. */
export class Lead {
  readonly machine: GroupLeader;
  readonly archiver: Archiver;
  readonly #world: World;
  readonly #node: SimNode;
  readonly #history: History;
  readonly #hot = new HotMessages(HOT_BYTES);
  readonly #residency: Residency;
  readonly #waiting = new Map<number, Request>();
  readonly #upkeep = new Map<number, (outcome: Outcome | null) => void>();
  readonly #ended: (reason: EndReason) => void;
  #flushPlanned = false;
  /** Message id of what was appended last. */
  #batch = "";

  constructor(world: World, node: SimNode, state: GroupState, ended: (reason: EndReason) => void) {
    this.#world = world;
    this.#node = node;
    this.#ended = ended;
    const log = world.logLink.of(node);
    const archive = archiveLink(world, node);
    this.machine = new GroupLeader(node.id, state, this.#port());
    this.#history = new History(log, this.#hot, archive, () => this.archiver.distrust());
    this.archiver = new Archiver({
      options: world.climate.archiver,
      archive,
      log,
      history: this.#history,
      state: () => this.state,
      propose: async (draft) => (await this.#proposeUpkeep(draft)) !== null,
      reader: { readSince: () => false, forget: () => undefined },
      clock: () => world.now + node.skew,
      // Each pass begins here, by a timer of the archiver's own.
      limit: new Proxy(pLimit(1), {
        apply: (limit, self, given) => {
          world.stir();
          return Reflect.apply(limit, self, given);
        },
      }),
      metrics: quietMetrics,
      logger: quietLogger,
      stalled: (problem) => this.#stalled(problem),
      foreign: (problem) => this.#stalled(problem),
    });
    this.#residency = new Residency({
      state: () => this.state,
      knows: (session) => this.machine.knows(session),
      ensureLease: () => this.#ensureLease(),
      lookUp: (session) => archive.session(state.group, session),
      distrust: () => this.archiver.distrust(),
      propose: (draft) => this.#proposeUpkeep(draft),
    });
  }

  get state(): GroupState {
    return this.machine.state;
  }

  get leads(): boolean {
    return this.machine.phase === "leading";
  }

  /** A call from a client, with one or more commands. */
  handle(requests: readonly Request[]): void {
    for (const request of requests) {
      if (this.leads && !this.#decidable(request)) this.#later(() => this.#bringFor(request));
      else this.#enter(request);
    }
  }

  /** A page of a session's messages, compared with what was decided; `acked` of them were known to the reader before. */
  read(session: string, after: number, limit: number, acked: number): void {
    const { ledger, stats } = this.#world;
    this.#later(async () => {
      const held = await this.#session(session);
      must(held !== null || acked === 0, () => `a reader was told that ${session} does not exist`);
      if (!held) return;
      const page = await this.#history.after(held, after, limit, 1e6);
      stats.pages += 1;
      const decided = ledger.reference.sessions.get(session)!.messages;
      must(page.last_seq >= acked, () => `a reader of ${session} saw ${page.last_seq} of ${acked} messages`);
      const expected = decided.slice(after, Math.min(page.last_seq, after + limit));
      must(
        page.messages.map(({ id, seq }) => `${seq} ${id}`).join() ===
          expected.map(({ id, seq }) => `${seq} ${id}`).join(),
        () => `a reader of ${session} after ${after} got ${JSON.stringify(page.messages)}`,
      );
    });
  }

  /** The node dies: nothing of this goes on. */
  forget(): void {
    this.archiver.stop();
  }

  #decidable({ draft }: Request): boolean {
    const { defects } = this.#world;
    if (defects.createsWithoutLookup && draft.t === "create") return true;
    return this.#residency.decidable(draft);
  }

  /** As `LeaderDriver` does it. */
  async #bringFor(request: Request): Promise<void> {
    const { ticket, draft, answer } = request;
    const { defects, ledger, stats } = this.#world;
    const residence =
      defects.deniesWithoutLookup && draft.t !== "create" ? "absent" : await this.#bring(draft.session);
    switch (residence) {
      case "resident":
        return this.#enter(request);
      case "absent":
        if (draft.t === "create" || this.machine.knows(draft.session)) return this.#enter(request);
        stats.denied += 1;
        ledger.denied(ticket);
        return answer({ kind: "settled", words: "rejected session_not_found 0" });
      case "unavailable":
      case "archive_unavailable":
        stats[residence] += 1;
        ledger.refused(ticket, residence);
        return answer({ kind: "refused", why: residence });
    }
  }

  async #bring(session: string) {
    return this.#residency.bring(session);
  }

  /** Throws as `LeaderDriver.session`. */
  async #session(id: string): Promise<SessionState | null> {
    await this.#ensureLease();
    const held = this.state.sessions.get(id);
    if (held) return held;
    const residence = await this.#bring(id);
    if (residence === "unavailable") throw new FleetError("leader_unavailable", "not now");
    if (residence === "archive_unavailable") throw new FleetError("archive_unavailable", "not now");
    return this.state.sessions.get(id) ?? null;
  }

  /** Nothing is said of the state unless the log confirms that nobody else leads. */
  async #ensureLease(): Promise<void> {
    const { defects, engineUp, ledger } = this.#world;
    const confirmed = engineUp && ledger.reference.epoch === this.state.epoch;
    if (!this.leads || !(confirmed || defects.deniesUnconfirmed)) {
      throw new FleetError("leader_unavailable", "The log does not confirm this leader now.");
    }
  }

  #enter(request: Request): void {
    this.#waiting.set(request.ticket, request);
    this.machine.propose(request.ticket, request.draft);
  }

  #proposeUpkeep(draft: UpkeepDraft): Promise<Outcome | null> {
    return new Promise((resolve) => {
      const ticket = this.#world.nextTicket();
      this.#upkeep.set(ticket, resolve);
      this.#guard(() => this.machine.propose(ticket, draft));
    });
  }

  #flushSoon(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    this.#world.traffic.later(this.#node, "flush", () => {
      this.#flushPlanned = false;
      this.machine.flush();
    });
  }

  /** Work that waits for answers. Callers of what is refused on the way have heard of it. */
  #later(work: () => Promise<void>): void {
    this.#world.stir();
    work().catch((error: unknown) => {
      if (error instanceof FleetError || error instanceof LogError) return;
      this.#world.broken(error);
    });
  }

  /** The archiver survives errors; this one is a broken promise. */
  #guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#world.broken(error);
    }
  }

  /** The archive of one group and its log are made for each other here. */
  #stalled(problem: string | null): void {
    if (problem !== null) this.#world.broken(new Error(`the archive stands still: ${problem}`));
  }

  #port(): LeaderPort {
    const world = this.#world;
    const node = this.#node;
    const { defects, ledger, stats } = world;
    return {
      waiting: () => this.#flushSoon(),
      append: (data, expectedLast, messageId) => {
        this.#batch = messageId;
        world.logLink.append(node, data, expectedLast, messageId, (result) =>
          this.machine.appended(messageId, result),
        );
      },
      inspect: (index) =>
        world.logLink.inspect(node, index, this.#batch, (found) => {
          if (found === "vanished") this.machine.vanished(index);
          else this.machine.inspected(index, found.batch);
        }),
      retryAfter: () => {
        if (!defects.losesRetries) world.traffic.timer(node, "retry", () => this.machine.retry());
      },
      settle: (ticket, outcome, command) => {
        const upkeep = this.#upkeep.get(ticket);
        if (upkeep) return this.#settleUpkeep(ticket, outcome, upkeep);
        ledger.settled(ticket, outcome, command, this.state.applied);
        stats.settled += 1;
        this.#answer(ticket, { kind: "settled", words: summary(outcome) });
      },
      refuse: (ticket, why) => {
        const upkeep = this.#upkeep.get(ticket);
        if (upkeep) return this.#settleUpkeep(ticket, null, upkeep);
        const said = why === "maybe" && defects.abandonedMeansNotWritten ? "not_leader" : why;
        ledger.refused(ticket, said);
        stats[said] += 1;
        this.#answer(ticket, { kind: "refused", why: said });
      },
      committed: (index, outcomes, commands) => this.#committed(index, outcomes, commands),
      led: (epoch) => {
        ledger.led(node.name, epoch);
        stats.led += 1;
        world.trace(() => `${node.name} leads epoch ${epoch} from ${this.state.applied}`);
        // A started archiver would begin at a random moment; the world's own are random enough.
        world.traffic.later(node, "archiver begins", () => this.#later(() => this.archiver.flush()));
      },
      ended: (reason) => {
        stats[reason] += 1;
        world.trace(() => `${node.name} leads no more: ${reason}`);
        this.archiver.stop();
        this.#ended(reason);
      },
      clock: () => world.now + node.skew,
      messageId: () => world.nextId("m"),
      batchId: () => world.nextId("b"),
    };
  }

  #committed(index: number, outcomes: readonly Outcome[], commands: readonly Command[]): void {
    const { ledger, stats, defects } = this.#world;
    ledger.committed(this.state.epoch, index);
    outcomes.forEach((outcome, i) => {
      const command = commands[i]!;
      if (outcome.kind === "hydrated") stats[outcome.resident ? "hydrates" : "outdatedHydrates"] += 1;
      if (outcome.kind !== "appended" || command.t !== "append") return;
      this.#hot.put(hotMessage(command, messageView(command, outcome.seq)));
    });
    spoil(this.state, defects, () => commands);
    ledger.applied(this.state, this.#node.name);
  }

  #settleUpkeep(ticket: number, outcome: Outcome | null, resolve: (outcome: Outcome | null) => void): void {
    this.#upkeep.delete(ticket);
    this.#world.stir();
    resolve(outcome);
  }

  #answer(ticket: number, answer: Answer): void {
    this.#waiting.get(ticket)?.answer(answer);
    this.#waiting.delete(ticket);
  }
}
