/** @module The rules of the log and of section 5.3 written a second time, slowly and plainly, as the reference. */
import type {
  AppendCommand,
  Command,
  CreateCommand,
  EvictCommand,
  HydrateCommand,
} from "../../lib/conversation/commands.ts";
import { unreadSeqs } from "../../lib/conversation/residency.ts";
import type { GroupState } from "../../lib/conversation/state.ts";
import { locationOfSeq } from "../../lib/conversation/state.ts";
import type { Entry } from "../../services/raft/entry.ts";

/** A rule that Fleetport promises is broken. */
export class Violation extends Error {
  override name = "Violation";
}

export function must(condition: boolean, sentence: () => string): asserts condition {
  if (!condition) throw new Violation(sentence());
}

export interface NaiveMessage {
  readonly seq: number;
  readonly id: string;
  readonly at: number;
  readonly role: "user" | "agent";
  readonly key: string | undefined;
  readonly index: number;
}

interface NaiveSession {
  readonly user: string;
  readonly agent: string;
  archived: boolean;
  cursor: number;
  /** Whether the state holds its header; what is not there, only the archive knows. */
  resident: boolean;
  /** Index of the last entry that changed it. */
  changed: number;
  /** Time of the last command that used it. */
  used: number;
  /** Index of the last entry that brought it back from the archive; 0 before. */
  hydrated: number;
  readonly created: number;
  readonly messages: NaiveMessage[];
}

/** What became of one command: the same words as `summary` uses of the state machine's outcome. */
export interface Decided {
  readonly command: Command;
  readonly words: string;
}

const REMEMBERED_KEYS = 1024;

export class NaiveGroup {
  readonly sessions = new Map<string, NaiveSession>();
  epoch = 0;
  #leader: string | null = null;
  #time = 0;
  #index = 0;
  /** Everything up to this index is in the archive. */
  archivedIndex = 0;
  #evicted = 0;
  /** Evictions of a session, and appends known by a key that only the archive still had. */
  evictions = 0;
  dedupedByArchive = 0;
  /** Index of each epoch's claim, by epoch. */
  readonly claims: number[] = [0];

  /** Takes the entry that the log holds next. Throws `Violation` when no fenced leader could have written it there. */
  take(index: number, entry: Entry): Decided[] {
    must(index === this.#index + 1, () => `entry ${index} was written after entry ${this.#index}`);
    this.#index = index;
    const first = entry.commands[0];
    if (first?.t === "claim") {
      must(
        entry.epoch === this.epoch + 1 && first.epoch === entry.epoch,
        () => `entry ${index} claims epoch ${first.epoch} (header ${entry.epoch}) after epoch ${this.epoch}`,
      );
      must(first.node === entry.author, () => `${entry.author} claimed for ${first.node}`);
      this.epoch = entry.epoch;
      this.#leader = entry.author;
      this.claims[this.epoch] = index;
    } else {
      must(
        entry.epoch === this.epoch,
        () => `entry ${index} of epoch ${entry.epoch} stands behind the claim of epoch ${this.epoch}`,
      );
      must(
        entry.author === this.#leader,
        () =>
          `entry ${index} is by ${entry.author}, but ${this.#leader ?? "nobody"} leads epoch ${this.epoch}`,
      );
    }
    return entry.commands.map((command) => {
      must(
        command.at >= this.#time,
        () => `time goes back at entry ${index}: ${this.#time} to ${command.at}`,
      );
      this.#time = command.at;
      const words = this.#decide(index, command);
      const used = "session" in command && command.t !== "hydrate" && !words.startsWith("rejected");
      if (used) this.sessions.get(command.session)!.used = command.at;
      return { command, words };
    });
  }

  #decide(index: number, command: Command): string {
    switch (command.t) {
      case "claim":
        return "epoch";
      case "release":
        this.#leader = null;
        return "epoch";
      case "create":
        return this.#create(index, command);
      case "append":
        return this.#append(index, command);
      case "archive": {
        const session = this.#resident(command);
        if (!session) return "rejected session_not_found 0";
        if (!session.archived) session.changed = index;
        session.archived = true;
        return "archived";
      }
      case "read": {
        const session = this.#resident(command);
        if (!session) return "rejected session_not_found 0";
        if (session.user !== command.user) return `rejected not_participant ${session.messages.length}`;
        const cursor = Math.max(session.cursor, Math.min(command.seq, session.messages.length));
        if (cursor > session.cursor) session.changed = index;
        session.cursor = cursor;
        return "read";
      }
      case "hydrate":
        return this.#hydrate(index, command);
      case "archived":
        must(command.index < index, () => `entry ${index} calls ${command.index} archived`);
        this.archivedIndex = Math.max(this.archivedIndex, command.index);
        return "kept";
      case "evict":
        this.#evict(index, command);
        return "kept";
    }
  }

  #resident({ session: id }: { session: string }): NaiveSession | null {
    const session = this.sessions.get(id);
    return session?.resident ? session : null;
  }

  /** What comes back from the archive must be all that was ever decided about the session. */
  #hydrate(index: number, command: HydrateCommand): string {
    const session = this.sessions.get(command.session);
    must(session !== undefined, () => `session ${command.session} came from the archive and never existed`);
    if (session.resident) return "hydrated true";
    if (command.evicted !== this.#evicted) return "hydrated false";
    const same =
      command.lastSeq === session.messages.length &&
      command.cursor === session.cursor &&
      (command.status === "archived") === session.archived &&
      command.user === session.user &&
      command.agent === session.agent &&
      command.insertedAt === session.created &&
      command.lastActivityAt === (session.messages.at(-1)?.at ?? null) &&
      command.lastSender === (session.messages.at(-1)?.role ?? null) &&
      command.keys.join() === keysOf(session).join() &&
      unreadSeqs(command.cursor, command.unread).join() === unreadOf(session).join();
    must(same, () => `session ${command.session} came back as ${JSON.stringify({ command, session })}`);
    session.resident = true;
    session.hydrated = index;
    session.used = command.at;
    return "hydrated true";
  }

  #evict(index: number, { sessions, unusedSince }: EvictCommand): void {
    for (const id of sessions) {
      const session = this.sessions.get(id);
      if (!session?.resident || session.used > unusedSince || session.changed > this.archivedIndex) continue;
      session.resident = false;
      this.evictions += 1;
      this.#evicted = index;
    }
  }

  #create(index: number, command: CreateCommand): string {
    const there = this.sessions.get(command.session);
    if (there) {
      must(there.resident, () => `session ${command.session} is created anew although the archive has it`);
      const same = there.user === command.user && there.agent === command.agent;
      return same ? "created false" : `rejected session_exists ${there.messages.length}`;
    }
    this.sessions.set(command.session, {
      user: command.user,
      agent: command.agent,
      archived: false,
      cursor: 0,
      resident: true,
      changed: index,
      used: command.at,
      hydrated: 0,
      created: command.at,
      messages: [],
    });
    return "created true";
  }

  #append(index: number, command: AppendCommand): string {
    const session = this.#resident(command);
    if (!session) return "rejected session_not_found 0";
    const last = session.messages.length;
    if (command.sender !== (command.role === "user" ? session.user : session.agent)) {
      return `rejected not_participant ${last}`;
    }
    if (command.key !== undefined) {
      const original = keysOf(session).find(([key]) => key === command.key);
      if (original) {
        const [, seq] = original;
        if (session.messages[seq - 1]!.index < session.hydrated) this.dedupedByArchive += 1;
        return `deduped ${seq}`;
      }
    }
    if (session.archived) return `rejected session_archived ${last}`;
    if (command.expect !== undefined && command.expect !== last) {
      return `rejected expected_seq_conflict ${last}`;
    }
    const { id, at, role, key } = command;
    session.messages.push({ seq: last + 1, id, at, role, key, index });
    session.changed = index;
    return `appended ${last + 1}`;
  }

  /** Throws `Violation` where a replica that applied the whole log disagrees with this reference. */
  compare(state: GroupState): void {
    must(state.applied === this.#index, () => `state is at ${state.applied}, the log at ${this.#index}`);
    must(state.epoch === this.epoch, () => `state is in epoch ${state.epoch}, the log in ${this.epoch}`);
    must(state.leader === this.#leader, () => `state has leader ${state.leader}, the log ${this.#leader}`);
    const ids = [...state.sessions.keys()].sort().join();
    const resident = [...this.sessions].filter(([, session]) => session.resident);
    const expected = resident
      .map(([id]) => id)
      .sort()
      .join();
    must(ids === expected, () => `state holds sessions ${ids} instead of ${expected}`);
    must(
      state.archived === this.archivedIndex,
      () => `state is archived up to ${state.archived}, the log up to ${this.archivedIndex}`,
    );
    for (const [id, session] of resident) {
      const held = state.sessions.get(id)!;
      const same =
        held.lastSeq === session.messages.length &&
        held.cursor === session.cursor &&
        (held.status === "archived") === session.archived &&
        held.unread.join() === unreadOf(session).join() &&
        session.messages.every(({ seq, index }) => {
          const location = locationOfSeq(held, seq);
          if (index <= this.archivedIndex) return location === null;
          return location !== null && Math.floor(location / 512) === index;
        });
      must(same, () => `session ${id} differs from the reference: ${JSON.stringify({ held, session })}`);
    }
  }
}

function unreadOf({ messages, cursor }: NaiveSession): number[] {
  return messages.filter(({ seq, role }) => role === "agent" && seq > cursor).map(({ seq }) => seq);
}

/** The keys that are remembered, with their seqs, oldest first. */
function keysOf({ messages }: NaiveSession): (readonly [string, number])[] {
  const keyed = messages.flatMap(({ key, seq }) => (key === undefined ? [] : [[key, seq] as const]));
  return keyed.slice(-REMEMBERED_KEYS);
}
