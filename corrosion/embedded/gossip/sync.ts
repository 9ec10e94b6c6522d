/** @module Anti-entropy with all peers: tells them what is here, asks them for what is not, and answers them. */
import type { ActorId, KnownVersions, Replication } from "../replication.ts";
import { answer } from "./answer.ts";
import type { Pace } from "./contract.ts";
import { frame } from "./frames.ts";
import type { Intake } from "./intake.ts";
import { changesOf } from "./intake.ts";
import type { Link } from "./link.ts";
import { ASKED_AT_ONCE, countOf, questions, rotated, united } from "./questions.ts";
import { setOf, within } from "./ranges.ts";
import { Refusals } from "./refusals.ts";
import { type Holdings, headsOf, holdingsOf, plan, type VersionSets, type Want } from "./sync-plan.ts";
import { encode, type Message } from "./wire.ts";

/** Questions that a peer has to answer at the same time. */
const QUESTIONS = 2;
/** More than an agent ever asks at a time: whoever does is told that there is nothing. */
const MAX_WAITING_ANSWERS = 8;

interface Question {
  readonly versions: VersionSets;
  readonly count: number;
  progressAt: number;
}

interface Peer {
  readonly link: Link;
  holds: Holdings | null;
  /** What it was told last of what is here. */
  told: string;
  readonly questions: Map<number, Question>;
  /** Asked, over, and not to be asked for again before `until`. */
  tried: { readonly versions: VersionSets; readonly until: number }[];
  answering: Promise<void>;
  answers: number;
}

export interface SyncOptions {
  readonly self: ActorId;
  readonly replication: Replication;
  readonly intake: Intake;
  readonly pace: Pace;
  /** Milliseconds of a clock that stands still while this process does. */
  readonly now: () => number;
  readonly onSent: (changes: number) => void;
  /** A whole exchange with the peer is over: nothing that it has is missing here. */
  readonly onSynced: (peer: ActorId) => void;
  readonly onTrouble: (what: string, error: unknown) => void;
}

export class Sync {
  readonly #options: SyncOptions;
  readonly #peers = new Map<ActorId, Peer>();
  readonly refusals: Refusals;
  #question = 0;
  #passing: Promise<void> | null = null;
  #again = false;
  #stopped = false;

  constructor(options: SyncOptions) {
    this.#options = options;
    this.refusals = new Refusals(options.pace.refusedMs);
  }

  /** A connection with the peer began; an older one of the same peer is forgotten. */
  connected(id: ActorId, link: Link): void {
    const answering = Promise.resolve();
    this.#peers.set(id, {
      link,
      holds: null,
      told: "",
      questions: new Map(),
      tried: [],
      answering,
      answers: 0,
    });
    this.soon();
  }

  gone(id: ActorId): void {
    this.#peers.delete(id);
    this.soon();
  }

  /** Takes a message of anti-entropy. */
  heard(id: ActorId, message: Message): void {
    const peer = this.#peers.get(id);
    if (!peer) return;
    const { intake } = this.#options;
    switch (message.t) {
      case "holds":
        // Behind what the peer pushed before, so that it is not asked for what is on its way.
        intake.run(async () => {
          peer.holds = message.holds;
          this.soon();
        });
        return;
      case "ask":
        this.#answer(peer, message.id, message.wants);
        return;
      case "empty": {
        this.#progress(peer, message.id);
        const { origin } = message;
        // Nothing but what it was asked for may be closed.
        const asked = peer.questions.get(message.id)?.versions.get(origin) ?? [];
        const versions = within(setOf(message.versions), asked);
        intake.run(async () => {
          for (const range of versions) await this.#options.replication.receiveEmpty(origin, range);
        });
        return;
      }
      case "done":
        intake.run(async () => this.#over(peer, message.id));
        return;
      default:
        this.#progress(peer, "id" in message ? message.id : null);
    }
  }

  /** Once a round: gives up questions that bring nothing, tells peers what is here, looks for what is missing. */
  round(): void {
    const now = this.#options.now();
    const { pace, intake } = this.#options;
    for (const peer of this.#peers.values()) {
      peer.tried = peer.tried.filter(({ until }) => until > now);
      for (const [id, { progressAt }] of peer.questions) {
        if (now - progressAt > pace.askMs && intake.idle && !peer.link.paused) this.#over(peer, id);
      }
    }
    this.soon();
  }

  /** Looks for what is missing as soon as possible. */
  soon(): void {
    if (this.#stopped) return;
    this.#again = true;
    this.#passing ??= this.#passes().finally(() => {
      this.#passing = null;
      // Called after the last pass had begun to end.
      if (this.#again) this.soon();
    });
  }

  /** Resolves when nothing of it is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const answering = [...this.#peers.values()].map((peer) => peer.answering);
    this.#peers.clear();
    await Promise.all([this.#passing, ...answering]);
  }

  async #passes(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false;
      try {
        await this.#pass();
      } catch (error) {
        this.#options.onTrouble("looking for missing versions", error);
      }
    }
  }

  async #pass(): Promise<void> {
    const { replication, self, onSynced } = this.#options;
    const own = await replication.known();
    if (this.#stopped) return;
    this.#tell(own);
    const peers = [...this.#peers].flatMap(([id, peer]) =>
      peer.holds ? [{ id, peer, holds: peer.holds, tried: triedOf(peer), room: roomOf(peer) }] : [],
    );
    const asks = plan({ self, own, peers: rotated(peers, this.#question), busy: this.#busy() });
    for (const { id, peer } of peers) {
      for (const wants of questions(asks.get(id) ?? [])) this.#ask(peer, wants);
      if (peer.questions.size === 0) onSynced(id);
    }
    await this.#noteHeads(own, headsOf(peers));
  }

  /** Only news: an agent at rest sends nothing. */
  #tell(own: KnownVersions): void {
    const message = encode({ t: "holds", holds: holdingsOf(own) });
    const unaware = [...this.#peers.values()].filter(({ told }) => told !== message);
    if (unaware.length === 0) return;
    const bytes = frame(message);
    for (const peer of unaware) if (peer.link.offer(bytes)) peer.told = message;
  }

  async #noteHeads(own: KnownVersions, heads: ReadonlyMap<ActorId, bigint>): Promise<void> {
    const { replication, self, onTrouble } = this.#options;
    for (const [origin, head] of heads) {
      const here = own.get(origin)?.head ?? 0n;
      if (head <= here) continue;
      if (origin !== self) await replication.noteHead(origin, head);
      else {
        onTrouble(
          "own versions",
          new Error(
            `others know version ${head} of this agent, which itself is at ${here}: its database is an older copy; stop the agent and restore it with a new actor id`,
          ),
        );
      }
    }
  }

  #busy(): VersionSets {
    const sets = [this.refusals.waiting(this.#options.now())];
    for (const { questions } of this.#peers.values()) {
      for (const { versions } of questions.values()) sets.push(versions);
    }
    return united(sets);
  }

  #ask(peer: Peer, wants: readonly Want[]): void {
    const id = ++this.#question;
    if (!peer.link.offer({ t: "ask", id, wants })) return;
    const versions = united(wants.map(({ origin, versions }) => new Map([[origin, [versions]]])));
    peer.questions.set(id, { versions, count: countOf(wants), progressAt: this.#options.now() });
  }

  #progress(peer: Peer, id: number | null): void {
    const question = id === null ? undefined : peer.questions.get(id);
    if (question) question.progressAt = this.#options.now();
  }

  #over(peer: Peer, id: number): void {
    const question = peer.questions.get(id);
    if (!question) return;
    peer.questions.delete(id);
    // What it brought is no longer missing; what it did not bring should be asked of others first.
    const until = this.#options.now() + this.#options.pace.askMs / 2;
    peer.tried.push({ versions: question.versions, until });
    this.soon();
  }

  #answer(peer: Peer, id: number, wants: readonly Want[]): void {
    const { replication, pace, onSent, onTrouble } = this.#options;
    if (peer.answers >= MAX_WAITING_ANSWERS) {
      peer.link.offer({ t: "done", id });
      return;
    }
    peer.answers += 1;
    const send = async (message: Message): Promise<boolean> => {
      const sent = !this.#stopped && (await peer.link.deliver(message));
      if (sent && message.t === "give") onSent(changesOf(message.chunks));
      return sent;
    };
    peer.answering = peer.answering
      .then(() =>
        peer.link.open ? answer(id, wants, { replication, chunkBytes: pace.chunkBytes, send }) : undefined,
      )
      .catch(async (error: unknown) => {
        if (!this.#stopped) onTrouble("answering a peer", error);
        await send({ t: "done", id });
      })
      .finally(() => {
        peer.answers -= 1;
      });
  }
}

function roomOf({ questions }: Peer): number {
  const asked = [...questions.values()].reduce((sum, { count }) => sum + count, 0);
  return questions.size >= QUESTIONS ? 0 : Math.max(0, QUESTIONS * ASKED_AT_ONCE - asked);
}

function triedOf({ tried }: Peer): VersionSets {
  return united(tried.map(({ versions }) => versions));
}
