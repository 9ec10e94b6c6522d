/** @module Snapshots: a group's state as bytes that tell when they are damaged, cut off, or of another version. */
import { createHash } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { sessionHash, updateDigest } from "./digest.ts";
import { admit, emptyState, type GroupState, type SessionState, STATE_VERSION } from "./state.ts";

/**
 * Layout: magic (4 bytes), version of the state (u16), SHA-256 of the body (32 bytes), length of the body (u64), body.
 * The body is a row of blocks: length (u32) and that many bytes of raw deflate. A block holds UTF-8 JSON texts, each
 * ended by a line feed: first the header of the state, then its sessions. Numbers are big-endian.
 */
export const SNAPSHOT_MAGIC: readonly number[] = [...Buffer.from("FPS1")];
const VERSION_AT = 4;
const HASH_AT = 6;
const LENGTH_AT = 38;
const BODY_AT = 46;
const HASH_BYTES = 32;

/** Characters of JSON that make a block; what does not fit one text or buffer of V8 still fits a row of them. */
const BLOCK_CHARS = 4_194_304;
/** Fast; the text is repetitive enough. */
const LEVEL = 1;

export type SnapshotProblem =
  | "not_a_snapshot"
  | "unknown_version"
  | "truncated"
  | "wrong_checksum"
  | "wrong_content";

/** The bytes cannot be used as a snapshot. */
export class UnusableSnapshot extends Error {
  override name = "UnusableSnapshot";
  readonly problem: SnapshotProblem;

  constructor(problem: SnapshotProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
  }
}

/** What of the state stands before its sessions. What follows from the sessions is not stored, but for the digest. */
type Header = Omit<GroupState, "sessions" | "byUser" | "unarchived"> & { readonly count: number };
type StoredSession = Omit<SessionState, "keys"> & { readonly keys: readonly (readonly [string, number])[] };

/** The state as bytes. Runs at once, to the end: what it writes is the state of one index. */
export function encodeSnapshot(state: GroupState): Uint8Array {
  const { sessions, byUser: _users, unarchived: _unarchived, ...rest } = state;
  const header: Header = { ...rest, count: sessions.size };
  const blocks: Uint8Array[] = [];
  let text = `${JSON.stringify(header)}\n`;
  const close = () => {
    const block = deflateRawSync(text, { level: LEVEL });
    const length = Buffer.alloc(4);
    length.writeUInt32BE(block.length);
    blocks.push(length, block);
    text = "";
  };
  for (const session of sessions.values()) {
    const stored: StoredSession = { ...session, keys: [...session.keys] };
    text += `${JSON.stringify(stored)}\n`;
    if (text.length > BLOCK_CHARS) close();
  }
  if (text !== "") close();

  const head = Buffer.alloc(BODY_AT);
  head.set(SNAPSHOT_MAGIC);
  head.writeUInt16BE(STATE_VERSION, VERSION_AT);
  const hash = createHash("sha256");
  let length = 0;
  for (const block of blocks) {
    hash.update(block);
    length += block.length;
  }
  head.set(hash.digest(), HASH_AT);
  head.writeBigUInt64BE(BigInt(length), LENGTH_AT);
  return Buffer.concat([head, ...blocks]);
}

/** The state that `encodeSnapshot` was given. Throws `UnusableSnapshot`. */
export function decodeSnapshot(bytes: Uint8Array): GroupState {
  const body = checkedBody(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  let state: GroupState | null = null;
  let header: Header | null = null;
  try {
    for (const line of lines(body)) {
      if (state === null || header === null) {
        header = JSON.parse(line) as Header;
        const { count: _, ...rest } = header;
        state = { ...emptyState(header.group), ...rest, digest: [0, 0] };
      } else {
        addSession(state, JSON.parse(line) as StoredSession);
      }
    }
  } catch (cause) {
    throw new UnusableSnapshot("wrong_content", "the snapshot's content cannot be read", { cause });
  }
  if (!state || !header || state.sessions.size !== header.count) {
    throw new UnusableSnapshot("wrong_content", "the snapshot does not hold the sessions that it announces");
  }
  if (state.digest[0] !== header.digest[0] || state.digest[1] !== header.digest[1]) {
    throw new UnusableSnapshot(
      "wrong_content",
      "the snapshot's sessions do not make the digest that it announces",
    );
  }
  return state;
}

function checkedBody(bytes: Buffer): Buffer {
  const magic = bytes.subarray(0, SNAPSHOT_MAGIC.length);
  if (!SNAPSHOT_MAGIC.slice(0, magic.length).every((byte, i) => magic[i] === byte)) {
    throw new UnusableSnapshot("not_a_snapshot", "the bytes are not a snapshot");
  }
  if (bytes.length < BODY_AT) throw truncated();
  const version = bytes.readUInt16BE(VERSION_AT);
  if (version !== STATE_VERSION) {
    throw new UnusableSnapshot(
      "unknown_version",
      `the snapshot has version ${version}, and this version of Fleetport reads version ${STATE_VERSION}`,
    );
  }
  const length = Number(bytes.readBigUInt64BE(LENGTH_AT));
  const body = bytes.subarray(BODY_AT);
  if (body.length < length) throw truncated();
  const hash = createHash("sha256").update(body).digest();
  if (body.length > length || !hash.equals(bytes.subarray(HASH_AT, HASH_AT + HASH_BYTES))) {
    throw new UnusableSnapshot("wrong_checksum", "the snapshot is damaged: its checksum differs");
  }
  return body;
}

function truncated(): UnusableSnapshot {
  return new UnusableSnapshot("truncated", "the snapshot is cut off");
}

function* lines(body: Buffer): Generator<string> {
  for (let at = 0; at < body.length; ) {
    const end = at + 4 + body.readUInt32BE(at);
    const text = inflateRawSync(body.subarray(at + 4, end)).toString();
    for (let from = 0; from < text.length; ) {
      const feed = text.indexOf("\n", from);
      yield text.slice(from, feed);
      from = feed + 1;
    }
    at = end;
  }
}

/** The order of sessions in the snapshot is that in which they entered the state. */
function addSession(state: GroupState, stored: StoredSession): void {
  const session: SessionState = { ...stored, keys: new Map(stored.keys) };
  admit(state, session);
  updateDigest(state, null, sessionHash(session));
}
