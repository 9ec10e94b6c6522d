/** @module Chunks from other agents: into the buffer, or, once their version is whole, into the tables. */
import type { ActorId, Chunk, Committed, Range, Received, Touched } from "../replication.ts";
import { actorBytes } from "./actor-id.ts";
import { type Bookkeeping, bringsNothing, isWhole } from "./bookkeeping.ts";
import type { ChangeBuffer } from "./change-buffer.ts";
import { applyVersion, ChangeRefused, type RemoteEnvironment } from "./remote-writes.ts";
import type { Sites } from "./sites.ts";
import type { Transactions } from "./transactions.ts";

const ACTOR_ID = /^[0-9a-f]{32}$/;
const MAX_INTEGER = 2n ** 63n - 1n;
/** SQLite's primary result codes for data that does not fit: an expression failed, too big, constraint, mismatch. */
const DATA_ERRORS = new Set([1, 18, 19, 20]);

export interface ReceivingEnvironment {
  readonly transactions: Transactions;
  readonly sites: Sites;
  readonly bookkeeping: Bookkeeping;
  readonly buffer: ChangeBuffer;
  readonly tableOf: RemoteEnvironment["tableOf"];
  readonly committed: (committed: Committed) => void;
}

export class Receiving {
  readonly #env: ReceivingEnvironment;
  readonly #remote: RemoteEnvironment;

  constructor(env: ReceivingEnvironment) {
    this.#env = env;
    const idOf = (ordinal: bigint) => actorBytes(env.sites.actorOf(ordinal));
    this.#remote = {
      tableOf: env.tableOf,
      compareSites: (a, b) => (a === b ? 0 : Buffer.compare(idOf(a), idOf(b))),
    };
  }

  /** What became of the chunk. Throws only when the database itself fails. */
  receive(chunk: Chunk): Received {
    const { bookkeeping, sites, transactions } = this.#env;
    const { origin, version } = chunk;
    const malformed = flaw(chunk);
    if (malformed !== null) return { kind: "refused", message: malformed };
    if (origin === sites.own || bookkeeping.has(origin, version)) return { kind: "duplicate" };
    const partial = bookkeeping.partial(origin, version);
    if (partial && bringsNothing(partial, chunk)) return { kind: "duplicate" };
    try {
      const applied = transactions.remote(() => this.#take(chunk));
      if (applied === null) return { kind: "buffered" };
      this.#env.committed({ origin, version, local: false, touched: applied, chunks: [] });
      return { kind: "applied" };
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (partial || bookkeeping.head(origin) < version) {
        transactions.remote(() => bookkeeping.miss(origin, version));
      }
      return { kind: "refused", message: error.message };
    }
  }

  /** The rows that changed; null while the version is not whole. */
  #take(chunk: Chunk): Touched[] | null {
    const { bookkeeping, buffer, sites } = this.#env;
    const { origin, version } = chunk;
    let { changes } = chunk;
    let ts = String(chunk.ts);
    if (chunk.startSeq > 0 || chunk.endSeq < chunk.lastSeq) {
      buffer.add(chunk);
      const partial = bookkeeping.addPart(chunk);
      if (!isWhole(partial)) return null;
      changes = buffer.read(origin, version);
      ts = partial.ts;
    }
    const site = sites.ensure(origin);
    const touched = applyVersion(this.#remote, { dbVersion: version, site, ts }, changes);
    bookkeeping.complete(origin, { start: version, end: version });
    return touched;
  }

  /** Throws `RangeError` for what no correct agent says, as `noteHead` does. */
  receiveEmpty(origin: ActorId, versions: Range): void {
    const { bookkeeping, sites, transactions } = this.#env;
    if (
      !ACTOR_ID.test(origin) ||
      versions.start < 1n ||
      versions.end < versions.start ||
      versions.end > MAX_INTEGER
    ) {
      throw new RangeError(
        `versions ${versions.start}..${versions.end} of ${JSON.stringify(origin)} cannot be`,
      );
    }
    if (origin === sites.own) return;
    transactions.remote(() => bookkeeping.complete(origin, versions));
  }

  noteHead(origin: ActorId, head: bigint): void {
    const { bookkeeping, sites, transactions } = this.#env;
    if (!ACTOR_ID.test(origin) || head > MAX_INTEGER) {
      throw new RangeError(`version ${head} of ${JSON.stringify(origin)} cannot be`);
    }
    if (origin === sites.own || head <= bookkeeping.head(origin)) return;
    transactions.remote(() => bookkeeping.noteHead(origin, head));
  }
}

/** What no correct agent sends; null when there is nothing wrong. */
function flaw({ origin, version, startSeq, endSeq, lastSeq, changes }: Chunk): string | null {
  if (!ACTOR_ID.test(origin)) return `${JSON.stringify(origin)} is no actor id`;
  if (version < 1n || version > MAX_INTEGER) return `version ${version} is out of range`;
  if (!(startSeq >= 0 && startSeq <= endSeq && endSeq <= lastSeq && Number.isSafeInteger(lastSeq))) {
    return `version ${version} has impossible seqs ${startSeq}..${endSeq} of ${lastSeq}`;
  }
  for (const { seq, cl, colVersion } of changes) {
    if (!Number.isSafeInteger(seq) || seq < startSeq || seq > endSeq) {
      return `version ${version} has a change with seq ${seq} outside of ${startSeq}..${endSeq}`;
    }
    if (cl < 1n || cl > MAX_INTEGER || colVersion < 0n || colVersion > MAX_INTEGER) {
      return `version ${version} has a change with an impossible clock`;
    }
  }
  return null;
}

function isRefusal(error: unknown): error is Error {
  if (error instanceof ChangeRefused) return true;
  if (!(error instanceof Error)) return false;
  // A value that no column can take, such as an integer beyond 64 bits, is not the database's fault either.
  if ("code" in error && (error.code === "ERR_INVALID_ARG_VALUE" || error.code === "ERR_OUT_OF_RANGE"))
    return true;
  return "errcode" in error && typeof error.errcode === "number" && DATA_ERRORS.has(error.errcode & 0xff);
}
