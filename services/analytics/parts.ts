/** @module A node's part of a run on its way over the bus: packed, cut into messages that fit, and put together. */
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { MAX_CALL_BYTES } from "../../lib/bus-limits.ts";
import type { EventColumns } from "./columns.ts";
import type { PartChunk } from "./contract.ts";
import type { RunPart } from "./run-records.ts";

/** Base64 makes four characters of three bytes. */
const CHUNK_BYTES = Math.floor((MAX_CALL_BYTES * 3) / 4 / 3) * 3 - 3072;
/** What a part may unpack to: ten million acknowledgements. */
const MAX_PART_BYTES = 512 * 1024 * 1024;

const COLUMNS = ["originators", "sentAt", "ends", "targets", "ackedAt", "receivedAt"] as const;
type Column = (typeof COLUMNS)[number];

/** What stands before the columns, as JSON. */
interface Head extends Omit<RunPart, "events"> {
  readonly nodes: readonly string[];
  readonly messages: readonly string[];
  /** Values of each column, in the order of COLUMNS. */
  readonly lengths: readonly number[];
}

/** The part as bytes: length of the head, head, columns; deflated. */
export function packPart({ events, ...rest }: RunPart): Uint8Array {
  const columns = COLUMNS.map((name) => events[name]);
  const head: Head = {
    ...rest,
    nodes: events.nodes,
    messages: events.messages,
    lengths: columns.map(({ length }) => length),
  };
  const text = Buffer.from(JSON.stringify(head));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(text.length);
  const bytes = columns.map((column) => Buffer.from(column.buffer, column.byteOffset, column.byteLength));
  return deflateRawSync(Buffer.concat([size, text, ...bytes]), { level: constants.Z_BEST_SPEED });
}

/** What `packPart` packed. Throws when the bytes are not whole. */
export function unpackPart(packed: Uint8Array): RunPart {
  const bytes = inflateRawSync(packed, { maxOutputLength: MAX_PART_BYTES });
  let at = 4 + bytes.readUInt32LE(0);
  const { lengths, messages, nodes, ...rest } = JSON.parse(bytes.toString("utf8", 4, at)) as Head;
  const take = (name: Column, width: number): ArrayBuffer => {
    const size = lengths[COLUMNS.indexOf(name)]! * width;
    if (at + size > bytes.length) throw new Error(`a part of a run ends in its column ${name}`);
    at += size;
    // A copy: columns begin where their values may.
    return new Uint8Array(bytes.subarray(at - size, at)).buffer;
  };
  const events: EventColumns = {
    nodes,
    messages,
    originators: new Uint32Array(take("originators", 4)),
    sentAt: new Float64Array(take("sentAt", 8)),
    ends: new Uint32Array(take("ends", 4)),
    targets: new Uint32Array(take("targets", 4)),
    ackedAt: new Float64Array(take("ackedAt", 8)),
    receivedAt: new Float64Array(take("receivedAt", 8)),
  };
  return { ...rest, events };
}

/** The chunk of a packed part that one message of the bus carries. */
export function chunkOf(packed: Uint8Array, token: string, index: number): PartChunk {
  const data = Buffer.from(packed.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES)).toString(
    "base64",
  );
  return { token, index, chunks: Math.max(1, Math.ceil(packed.length / CHUNK_BYTES)), data };
}

/**
 * A node's packed part, for `analytics.store.query` and `.export`. `call` calls an action of that node's store; what
 * it throws is thrown. `rows`: with the events one by one.
 */
export async function gatherPart(
  call: (action: "analytics.store.part" | "analytics.store.chunk", params: object) => Promise<PartChunk>,
  experimentId: string,
  rows: boolean,
): Promise<Uint8Array> {
  const first = await call("analytics.store.part", { experiment_id: experimentId, rows });
  const data = [Buffer.from(first.data, "base64")];
  for (let index = 1; index < first.chunks; index++) {
    const next = await call("analytics.store.chunk", { token: first.token, index });
    data.push(Buffer.from(next.data, "base64"));
  }
  return Buffer.concat(data);
}
