/** @module Brings sessions that left RAM back from the archive: one lookup, one `hydrate` command, shared by all who wait. */
import type { Outcome } from "../../lib/conversation/apply.ts";
import type { Draft, HydrateCommand, UpkeepDraft } from "../../lib/conversation/commands.ts";
import { unreadSteps } from "../../lib/conversation/residency.ts";
import type { GroupState, SessionState } from "../../lib/conversation/state.ts";
import { errorCode } from "../../lib/errors.ts";
import { isSessionId } from "../../lib/ids.ts";
import type { ArchivedSession, FoundSession } from "../conversations/contract.ts";
import { commandBytes, MAX_BATCH_BYTES } from "./entry.ts";

/** What became of the wish to have a session in RAM. */
export type Residence =
  | "resident"
  /** It does not exist. */
  | "absent"
  | "archive_unavailable"
  /** The leader cannot write, or does not lead any more. */
  | "unavailable";

export interface ResidencyEnvironment {
  readonly state: () => GroupState;
  /** Whether the session is resident, or will be once what is queued is committed. */
  readonly knows: (session: string) => boolean;
  /** See `LeaderDriver.ensureLease`. */
  readonly ensureLease: () => Promise<void>;
  readonly lookUp: (session: string) => Promise<FoundSession>;
  /** The archive does not hold what the state says that it holds, or more than was ever decided. */
  readonly distrust: () => void;
  /** Null when the command was not committed, as far as is known. */
  readonly propose: (draft: UpkeepDraft) => Promise<Outcome | null>;
}

/** How often a lookup is repeated because of evictions meanwhile. */
const ATTEMPTS = 5;

export class Residency {
  readonly #env: ResidencyEnvironment;
  readonly #lookups = new Map<string, Promise<Residence>>();

  constructor(env: ResidencyEnvironment) {
    this.#env = env;
  }

  /** Whether a command can be decided as it is: its session is there, or cannot be anywhere else. */
  decidable(draft: Draft): boolean {
    return this.#env.knows(draft.session) || (draft.t === "create" && draft.fresh === true);
  }

  /** Brings a session into RAM. Everybody who asks meanwhile shares the lookup. */
  bring(session: string): Promise<Residence> {
    let lookup = this.#lookups.get(session);
    if (!lookup) {
      lookup = this.#bring(session).finally(() => this.#lookups.delete(session));
      this.#lookups.set(session, lookup);
    }
    return lookup;
  }

  async #bring(session: string): Promise<Residence> {
    const { state, knows } = this.#env;
    if (!isSessionId(session)) return "absent";
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { evicted } = state();
      const archived = await this.#lookUp(session);
      if (typeof archived === "string") return archived;
      if (knows(session)) return "resident";
      if (archived === null) {
        // Between the question and its answer it may have been evicted.
        if (state().evicted === evicted) return "absent";
        continue;
      }
      const outcome = await this.#env.propose(hydration(archived, evicted));
      if (outcome?.kind !== "hydrated") return "unavailable";
      // It may be on its way out again.
      if (outcome.resident && knows(session)) return "resident";
    }
    return "unavailable";
  }

  /** A newer leader may have created what is not known here, so the log is asked before and after. */
  async #lookUp(session: string): Promise<ArchivedSession | null | Residence> {
    try {
      await this.#env.ensureLease();
      if (this.#env.knows(session)) return "resident";
      const { archived } = this.#env.state();
      const found = await this.#env.lookUp(session);
      await this.#env.ensureLease();
      // An older backup, or somebody else's database: what it says of the session may be outdated.
      if (found.watermark < archived || found.watermark > this.#env.state().applied) {
        this.#env.distrust();
        return "archive_unavailable";
      }
      return found.session;
    } catch (error) {
      const code = errorCode(error);
      if (code === "archive_unavailable") return code;
      if (code === "leader_unavailable") return "unavailable";
      throw error;
    }
  }
}

/** Most bytes that JSON makes of one UTF-16 unit: `\u0001`. */
const ESCAPED_BYTES = 6;
/** Digits of the largest index, seq or time. */
const DIGITS = String(Number.MAX_SAFE_INTEGER).length;

/**
 * Whether the session could come back once it has left RAM: its `hydrate` must fit into one entry of the log. Keys of
 * characters that JSON escapes, or very many unread seqs without a pattern, can make it larger.
 */
export function canReturn(session: SessionState): boolean {
  const { keys, lastSender: lastSenderId, unread } = session;
  let bound = hydrationBytes({ ...session, lastSenderId, unread: [], keys: [] });
  // A step and its repetitions for each; brackets, quotes and commas of each key beside its seq.
  bound += unread.length * 2 * (DIGITS + 1);
  for (const key of keys.keys()) bound += key.length * ESCAPED_BYTES + DIGITS + 6;
  // Nearly always that is enough to know; the command itself is only made for the rest.
  if (bound <= MAX_BATCH_BYTES) return true;
  return hydrationBytes({ ...session, lastSenderId, unread, keys: [...keys] }) <= MAX_BATCH_BYTES;
}

/** What the `hydrate` of the session takes in an entry at most: of numbers that are not known yet, the longest count. */
function hydrationBytes(session: ArchivedSession): number {
  const [at, evicted] = [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
  const command: HydrateCommand = { ...hydration(session, evicted), v: 1, at };
  return commandBytes(JSON.stringify(command));
}

function hydration(session: ArchivedSession, evicted: number): Omit<HydrateCommand, "at" | "v"> {
  return {
    t: "hydrate",
    session: session.id,
    user: session.user,
    agent: session.agent,
    metadata: session.metadata,
    status: session.status,
    insertedAt: session.insertedAt,
    updatedAt: session.updatedAt,
    lastSeq: session.lastSeq,
    lastSender: session.lastSenderId,
    lastActivityAt: session.lastActivityAt,
    cursor: session.cursor,
    unread: unreadSteps(session.cursor, session.unread),
    dispatch: session.dispatch,
    keys: session.keys,
    evicted,
  };
}
