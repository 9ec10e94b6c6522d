/**
 * @module The messages of embedded gossip as JSON. 64-bit integers are strings, blobs base64; values of SQLite are
 * null, text as it is, `["i","5"]`, `["r",1.5]` or `["b","…"]`. What comes in is checked whole before it is used.
 */
import type { ActorId, Change, Chunk, Range } from "../replication.ts";
import type { SqlValue } from "../values.ts";
import type { LivenessState } from "./contract.ts";
import {
  actor,
  address,
  ascending,
  base64,
  big,
  blob,
  count,
  integer,
  list,
  NotOurs,
  object,
  text,
  tuple,
} from "./fields.ts";
import { MAX_INCARNATION, type MemberRecord } from "./membership.ts";
import type { Holdings, Want } from "./sync-plan.ts";

export const PROTOCOL = "fleetport-embedded-gossip/1";

export interface Hello {
  readonly t: "hello";
  readonly actor: ActorId;
  /** Drawn at the start of the process: tells two runs, and two copies of a database, apart. */
  readonly instance: string;
  /** Of the side that dialed: counts its dials, so that both sides know which of two connections is newer. */
  readonly dial: number;
  readonly address: string;
  readonly cluster: number;
  readonly member: number | null;
}

export type Message =
  | Hello
  /** The connection is closed, and this is why. */
  | { readonly t: "refuse"; readonly reason: string }
  /** Answered by a pong with the same number. */
  | { readonly t: "members"; readonly n: number; readonly records: readonly MemberRecord[] }
  | { readonly t: "pong"; readonly n: number }
  | { readonly t: "push"; readonly chunks: readonly Chunk[] }
  | { readonly t: "holds"; readonly holds: Holdings }
  | { readonly t: "ask"; readonly id: number; readonly wants: readonly Want[] }
  /** A part of the answer to `id`. */
  | { readonly t: "give"; readonly id: number; readonly chunks: readonly Chunk[] }
  /** Nothing stands any more of these versions. */
  | {
      readonly t: "empty";
      readonly id: number;
      readonly origin: ActorId;
      readonly versions: readonly Range[];
    }
  /** The end of the answer. */
  | { readonly t: "done"; readonly id: number };

export const MAX_WANTED_VERSIONS = 4096n;
const MAX_I64 = 0x7fff_ffff_ffff_ffffn;
/** Rounds of many thousand years. */
const MAX_BEAT = 2 ** 40;
const MAX_U64 = 0xffff_ffff_ffff_ffffn;
const STATES: readonly LivenessState[] = ["Alive", "Suspect", "Down"];

export function encode(message: Message): string {
  switch (message.t) {
    case "hello":
      return JSON.stringify({ protocol: PROTOCOL, ...message });
    case "members":
      return JSON.stringify({ ...message, records: message.records.map(recordOut) });
    case "push":
    case "give":
      return JSON.stringify({ ...message, chunks: message.chunks.map(chunkOut) });
    case "holds":
      return JSON.stringify({
        t: "holds",
        holds: [...message.holds].map(([origin, { head, lacks }]) => [
          origin,
          `${head}`,
          lacks.map(rangeOut),
        ]),
      });
    case "ask":
      return JSON.stringify({
        ...message,
        wants: message.wants.map(({ origin, versions, seqs }) => [origin, rangeOut(versions), seqs]),
      });
    case "empty":
      return JSON.stringify({ ...message, versions: message.versions.map(rangeOut) });
    case "refuse":
    case "pong":
    case "done":
      return JSON.stringify(message);
  }
}

/** Reads one frame. Throws `NotOurs`. */
export function decode(body: Uint8Array): Message {
  const message = object(parse(body));
  switch (message.t) {
    case "hello":
      if (message.protocol !== PROTOCOL) {
        throw new NotOurs(`it speaks ${JSON.stringify(message.protocol)?.slice(0, 80)}, not ${PROTOCOL}`);
      }
      return {
        t: "hello",
        actor: actor(message.actor),
        instance: text(message.instance, 64),
        dial: count(message.dial),
        address: address(message.address),
        cluster: integer(message.cluster, 0, 0xffff),
        member: message.member === null ? null : integer(message.member, 0, 0xffff),
      };
    case "refuse":
      return { t: "refuse", reason: text(message.reason, 1000) };
    case "members":
      return { t: "members", n: count(message.n), records: list(message.records, recordIn) };
    case "pong":
      return { t: "pong", n: count(message.n) };
    case "push":
      return { t: "push", chunks: list(message.chunks, chunkIn) };
    case "holds":
      return { t: "holds", holds: new Map(list(message.holds, holdingIn)) };
    case "ask":
      return { t: "ask", id: count(message.id), wants: wantsIn(message.wants) };
    case "give":
      return { t: "give", id: count(message.id), chunks: list(message.chunks, chunkIn) };
    case "empty":
      return {
        t: "empty",
        id: count(message.id),
        origin: actor(message.origin),
        versions: list(message.versions, rangeIn),
      };
    case "done":
      return { t: "done", id: count(message.id) };
    default:
      throw new NotOurs("a message of an unknown type");
  }
}

/** About how many bytes of JSON a chunk takes. */
export function roughBytes({ changes }: Chunk): number {
  return changes.reduce((sum, { table, pk, cid, val }) => {
    const value = typeof val === "string" ? val.length : val instanceof Uint8Array ? val.length * 1.4 : 20;
    return sum + 60 + table.length + cid.length + pk.length * 1.4 + value;
  }, 120);
}

function recordOut(record: MemberRecord): unknown {
  return { ...record, ts: `${record.ts}` };
}

function recordIn(value: unknown): MemberRecord {
  const record = object(value);
  const state = STATES.find((known) => known === record.state);
  if (state === undefined) throw new NotOurs("a state that no member has");
  return {
    id: actor(record.id),
    address: address(record.address),
    // Leaves room to be newer than anything that was said.
    ts: big(record.ts, 0n, MAX_U64 >> 1n),
    memberId: record.memberId === null ? null : integer(record.memberId, 0, 0xffff),
    incarnation: integer(record.incarnation, 0, MAX_INCARNATION),
    state,
    beat: integer(record.beat, 0, MAX_BEAT),
  };
}

function holdingIn(value: unknown): [ActorId, { head: bigint; lacks: readonly Range[] }] {
  const [origin, head, lacks] = tuple(value, 3);
  return [actor(origin), { head: big(head, 0n, MAX_I64), lacks: ascending(list(lacks, rangeIn)) }];
}

function wantsIn(value: unknown): readonly Want[] {
  const wants = list(value, (item): Want => {
    const [origin, versions, seqs] = tuple(item, 3);
    return {
      origin: actor(origin),
      versions: rangeIn(versions),
      seqs: seqs === null ? null : list(seqs, seqsIn),
    };
  });
  const versions = wants.reduce((sum, { versions: { start, end } }) => sum + end - start + 1n, 0n);
  if (versions > MAX_WANTED_VERSIONS) throw new NotOurs("a question for too many versions");
  return wants;
}

function seqsIn(value: unknown): readonly [number, number] {
  const [start, end] = tuple(value, 2);
  const first = count(start);
  return [first, integer(end, first, Number.MAX_SAFE_INTEGER)];
}

function rangeOut({ start, end }: Range): unknown {
  return [`${start}`, `${end}`];
}

function rangeIn(value: unknown): Range {
  const [start, end] = tuple(value, 2);
  const first = big(start, 1n, MAX_I64);
  return { start: first, end: big(end, first, MAX_I64) };
}

function chunkOut(chunk: Chunk): unknown {
  const { origin, version, ts, startSeq, endSeq, lastSeq, changes } = chunk;
  return [origin, `${version}`, `${ts}`, startSeq, endSeq, lastSeq, changes.map(changeOut)];
}

function chunkIn(value: unknown): Chunk {
  const [origin, version, ts, start, end, last, changes] = tuple(value, 7);
  const lastSeq = count(last);
  const endSeq = integer(end, 0, lastSeq);
  const startSeq = integer(start, 0, endSeq);
  return {
    origin: actor(origin),
    version: big(version, 1n, MAX_I64),
    ts: big(ts, 0n, MAX_U64),
    startSeq,
    endSeq,
    lastSeq,
    changes: list(changes, (change) => changeIn(change, startSeq, endSeq)),
  };
}

function changeOut({ table, pk, cid, val, colVersion, cl, seq }: Change): unknown {
  return [table, base64(pk), cid, valueOut(val), `${colVersion}`, `${cl}`, seq];
}

function changeIn(value: unknown, startSeq: number, endSeq: number): Change {
  const [table, pk, cid, val, colVersion, cl, seq] = tuple(value, 7);
  return {
    table: text(table, 10_000),
    pk: blob(pk),
    cid: text(cid, 10_000),
    val: valueIn(val),
    colVersion: big(colVersion, 0n, MAX_I64),
    cl: big(cl, 0n, MAX_I64),
    seq: integer(seq, startSeq, endSeq),
  };
}

function valueOut(value: SqlValue): unknown {
  if (value === null || typeof value === "string") return value;
  if (typeof value === "bigint") return ["i", `${value}`];
  if (typeof value === "number") {
    // JSON has no infinities, and its writer drops the sign of zero.
    const plain = Number.isFinite(value) && !Object.is(value, -0);
    return ["r", plain ? value : Object.is(value, -0) ? "-0" : `${value}`];
  }
  return ["b", base64(value)];
}

function valueIn(value: unknown): SqlValue {
  if (value === null || typeof value === "string") return value;
  const [type, content] = tuple(value, 2);
  switch (type) {
    case "i":
      return big(content, -MAX_I64 - 1n, MAX_I64);
    case "r":
      if (typeof content === "number") return content;
      if (content === "-0" || content === "Infinity" || content === "-Infinity") return Number(content);
      throw new NotOurs("a real that is none");
    case "b":
      return blob(content);
    default:
      throw new NotOurs("a value of an unknown type");
  }
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (cause) {
    throw new NotOurs("bytes that are no JSON", { cause });
  }
}
