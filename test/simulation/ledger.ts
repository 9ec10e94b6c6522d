/** @module Keeps the books of one simulated world: what callers were told against what the log holds, at every step. */
import type { Outcome } from "../../lib/conversation/apply.ts";
import { applyEntry } from "../../lib/conversation/apply.ts";
import type { AppendCommand, Command } from "../../lib/conversation/commands.ts";
import { stateDigest } from "../../lib/conversation/digest.ts";
import { emptyState, type GroupState } from "../../lib/conversation/state.ts";
import { decodeEntry } from "../../services/raft/entry.ts";
import type { ArchiveModel } from "./archive-model.ts";
import { ArchivePromises } from "./archive-promises.ts";
import { type Defects, spoil } from "./defects.ts";
import type { LogModel } from "./log-model.ts";
import { must, NaiveGroup, Violation } from "./naive-group.ts";
import type { Answer } from "./node.ts";

/** Something that a client wants once, in as many attempts as it takes. */
export interface Intent {
  readonly name: string;
  readonly session: string;
  readonly expect: number | undefined;
}

interface Attempt {
  readonly intent: Intent;
  /** Highest acknowledged seq of the session when the attempt was sent. */
  readonly ackedBefore: number;
  /** Whether somebody had been told, when the attempt was sent, that the session exists. */
  readonly existed: boolean;
  told: string | null;
}

interface Standing {
  readonly index: number;
  readonly words: string;
  readonly command: Command;
}

/** Why a proposal got no outcome. */
type Why = Extract<Answer, { kind: "refused" }>["why"];

/** What became of a command, in the words that the reference uses. */
export function summary(outcome: Outcome): string {
  switch (outcome.kind) {
    case "appended":
    case "deduped":
      return `${outcome.kind} ${outcome.seq}`;
    case "created":
      return `created ${outcome.created}`;
    case "hydrated":
      return `hydrated ${outcome.resident}`;
    case "rejected":
      return `rejected ${outcome.code} ${outcome.lastSeq}`;
    default:
      return outcome.kind;
  }
}

/** The attempt that a command belongs to; reads and archives do not say. */
function ticketOf(command: Command): number | null {
  if (command.t === "append") return command.content.ticket as number;
  if (command.t === "create") return command.metadata.ticket as number;
  return null;
}

/** What is said only of a command that never comes into the log. */
const REFUSED: ReadonlySet<string> = new Set<Why>([
  "not_leader",
  "unavailable",
  "full",
  "too_large",
  "archive_unavailable",
]);

const NOT_FOUND = "rejected session_not_found 0";

/** Full digests are dear; running ones are compared at every index. */
const FULL_DIGEST_EVERY = 8;

export class Ledger {
  readonly reference = new NaiveGroup();
  readonly archive: ArchivePromises;
  readonly #entries: readonly Uint8Array[];
  readonly #defects: Defects;
  readonly #attempts = new Map<number, Attempt>();
  readonly #standing = new Map<number, Standing>();
  /** Message that each intent became. */
  readonly #became = new Map<string, string>();
  readonly #created = new Set<string>();
  readonly #acked = new Map<string, number>();
  readonly #expectWon = new Map<string, string>();
  readonly #leaders = new Map<number, string>();
  readonly #running = new Map<number, string>();
  readonly #full = new Map<number, string>();

  constructor(log: LogModel, archive: ArchiveModel, defects: Defects) {
    this.archive = new ArchivePromises(archive, log, this.reference);
    this.#entries = log.entries;
    this.#defects = defects;
  }

  sent(ticket: number, intent: Intent): void {
    const ackedBefore = this.#acked.get(intent.session) ?? 0;
    const existed = this.exists(intent.session);
    this.#attempts.set(ticket, { intent, ackedBefore, existed, told: null });
  }

  /** The log took an entry. */
  written(index: number, data: Uint8Array): void {
    const entry = decodeEntry(0, index, data);
    for (const { command, words } of this.reference.take(index, entry)) {
      if (command.t === "archived") {
        this.archive.covers(command.index, "the log");
        if (command.snapshot) this.archive.snapshotted(command.snapshot.index);
      }
      if (words.startsWith("appended")) this.archive.decided((command as AppendCommand).session);
      const ticket = ticketOf(command);
      if (ticket === null) continue;
      must(!this.#standing.has(ticket), () => `attempt ${ticket} stands in the log twice`);
      this.#standing.set(ticket, { index, words, command });
      const attempt = this.#attempts.get(ticket);
      must(attempt !== undefined, () => `nobody sent attempt ${ticket}`);
      const { intent, told } = attempt;
      must(
        told === null || told === "maybe",
        () => `attempt ${ticket} was told "${told}" before it came into the log at ${index}`,
      );
      if (words.startsWith("appended")) {
        const message = `${intent.session}/${words}`;
        const other = this.#became.get(intent.name);
        must(other === undefined, () => `${intent.name} is in the log twice: ${other} and ${message}`);
        this.#became.set(intent.name, message);
      }
    }
  }

  /** A leader told a proposer what became of its command. `index` is where the leader stands. */
  settled(ticket: number, outcome: Outcome, command: Command, index: number): void {
    const attempt = this.#tell(ticket, summary(outcome));
    if (attempt.told === NOT_FOUND) this.#mustBeNew(ticket, attempt);
    if (ticketOf(command) === null) return;
    const standing = this.#standing.get(ticket);
    must(standing !== undefined, () => `attempt ${ticket} was settled and is not in the log`);
    must(
      standing.words === attempt.told && standing.index === index,
      () =>
        `attempt ${ticket}: told "${attempt.told}" at ${index}, the log says "${standing.words}" at ${standing.index}`,
    );
    must(
      JSON.stringify(standing.command) === JSON.stringify(command),
      () => `attempt ${ticket} was settled with another command than the log holds`,
    );
    if (outcome.kind === "created") this.#created.add(attempt.intent.session);
    if (outcome.kind !== "appended") return;
    const { intent, ackedBefore } = attempt;
    must(
      outcome.seq > ackedBefore,
      () =>
        `attempt ${ticket} got seq ${outcome.seq}, though ${ackedBefore} was acknowledged before it was sent`,
    );
    this.#acked.set(intent.session, Math.max(outcome.seq, this.#acked.get(intent.session) ?? 0));
    if (intent.expect === undefined) return;
    const slot = `${intent.session} at ${intent.expect}`;
    const winner = this.#expectWon.get(slot);
    must(winner === undefined, () => `${winner} and ${intent.name} both won expected_seq ${slot}`);
    this.#expectWon.set(slot, intent.name);
  }

  /** A leader told a proposer, without the log, that its session does not exist. */
  denied(ticket: number): void {
    this.#mustBeNew(ticket, this.#tell(ticket, NOT_FOUND));
  }

  #mustBeNew(ticket: number, { intent, existed }: Attempt): void {
    must(
      !existed,
      () => `attempt ${ticket} was told that ${intent.session} does not exist, which was acknowledged`,
    );
  }

  refused(ticket: number, why: Why): void {
    this.#tell(ticket, why);
    const standing = this.#standing.get(ticket);
    must(
      why === "maybe" || standing === undefined,
      () => `attempt ${ticket} was refused as ${why} and stands in the log at ${standing?.index}`,
    );
  }

  #tell(ticket: number, words: string): Attempt {
    const attempt = this.#attempts.get(ticket);
    must(attempt !== undefined, () => `attempt ${ticket} was answered and never sent`);
    must(attempt.told === null, () => `attempt ${ticket} was told "${attempt.told}", then "${words}"`);
    attempt.told = words;
    return attempt;
  }

  /** A node began to lead. */
  led(life: string, epoch: number): void {
    const other = this.#leaders.get(epoch);
    must(other === undefined, () => `${other} and ${life} both led epoch ${epoch}`);
    this.#leaders.set(epoch, life);
  }

  /** A leader counts the entry at `index` as its own commit. */
  committed(epoch: number, index: number): void {
    const claim = this.reference.claims[epoch];
    const next = this.reference.claims[epoch + 1] ?? Number.POSITIVE_INFINITY;
    must(
      claim !== undefined && index >= claim && index < next && index <= this.#entries.length,
      () => `a leader of epoch ${epoch} committed at ${index}, outside of ${claim}..${next}`,
    );
  }

  /** A replica has applied an entry: at one index all are equal. */
  applied(state: GroupState, who: string): void {
    compare(this.#running, state.applied, state.digest.join(), who);
    if (state.applied % FULL_DIGEST_EVERY === 0) this.compareFully(state, who);
  }

  compareFully(state: GroupState, who: string): void {
    compare(this.#full, state.applied, stateDigest(state), who);
  }

  /** Whether a caller has been told that the session exists. */
  exists(session: string): boolean {
    return this.#created.has(session);
  }

  /** Highest seq of a session that a caller has been told; 0 before. */
  acked(session: string): number {
    return this.#acked.get(session) ?? 0;
  }

  /** Replays the log from nothing and compares it with every replica, the reference and what was told. */
  finish(): void {
    const state = emptyState(0);
    this.#entries.forEach((data, i) => {
      const entry = decodeEntry(0, i + 1, data);
      must(entry.digest.join() === state.digest.join(), () => `entry ${i + 1} is by a diverged author`);
      applyEntry(state, { index: i + 1, epoch: entry.epoch }, entry.commands);
      spoil(state, this.#defects, () => entry.commands);
      this.applied(state, "the replay");
    });
    this.compareFully(state, "the replay");
    this.reference.compare(state);
    this.archive.finish(true);
    for (const [ticket, { told }] of this.#attempts) {
      const standing = this.#standing.get(ticket);
      const refused = told !== null && REFUSED.has(told);
      if (refused && standing) throw new Violation(`attempt ${ticket}, told ${told}, is in the log`);
    }
  }
}

function compare(known: Map<number, string>, index: number, digest: string, who: string): void {
  const other = known.get(index);
  if (other === undefined) known.set(index, digest);
  else must(other === digest, () => `${who} differs from another replica at index ${index}`);
}
