/** @module The bytes of a log entry: a batch of commands with what tells who wrote it and when. */
import { type Command, checkCommand } from "../../lib/conversation/commands.ts";
import { MAX_COMMANDS } from "../../lib/conversation/state.ts";
import { MAX_ENTRY_BYTES } from "./engine/engine.ts";

/** Version of the layout below. An entry of another version stops the replica that meets it. */
const FORMAT = 1;

/** Refuses damaged bytes instead of replacing them. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The log holds bytes that are not an entry of this format. */
export class UnreadableEntry extends Error {
  override name = "UnreadableEntry";
}

export interface Entry {
  /** Unique for each batch that any leader ever proposed; the engine's message id. */
  readonly batch: string;
  /** Node that wrote it. */
  readonly author: string;
  /** Leader epoch that wrote it; for a claim, the epoch that it begins. */
  readonly epoch: number;
  /** Running digest of the author's state before this entry: a replica that has another one differs. */
  readonly digest: readonly [number, number];
  readonly commands: readonly Command[];
}

/** Most bytes that the commands of one entry may take, commas included; the rest is for the header. */
export const MAX_BATCH_BYTES = MAX_ENTRY_BYTES - 1024;

/** Bytes that a command of this JSON takes among those of an entry, its comma included. */
export function commandBytes(json: string): number {
  return Buffer.byteLength(json) + 1;
}

/**
 * Encodes an entry as UTF-8 JSON `[format, batch, author, epoch, [digest], [commands]]`.
 * `commands` are JSON texts, so that each command is serialised once, when it is proposed.
 */
export function encodeEntry(header: Omit<Entry, "commands">, commands: readonly string[]): Uint8Array {
  const head = JSON.stringify([FORMAT, header.batch, header.author, header.epoch, header.digest]);
  return Buffer.from(`${head.slice(0, -1)},[${commands.join(",")}]]`);
}

/**
 * Decodes an entry. Throws `UnreadableEntry` when the bytes are of another format or malformed, and
 * `UnknownCommand` when they hold a command that this program does not know.
 */
export function decodeEntry(group: number, index: number, data: Uint8Array): Entry {
  const where = `group ${group}: log entry ${index}`;
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(data));
  } catch (cause) {
    throw new UnreadableEntry(`${where} is not readable`, { cause });
  }
  if (!Array.isArray(value)) throw new UnreadableEntry(`${where} is not an entry`);
  if (value[0] !== FORMAT) {
    throw new UnreadableEntry(
      `${where} has format ${String(value[0])}, and this version of Fleetport reads format ${FORMAT}: run a newer version on this data`,
    );
  }
  const [, batch, author, epoch, digest, commands] = value as unknown[];
  if (
    typeof batch !== "string" ||
    typeof author !== "string" ||
    typeof epoch !== "number" ||
    !isDigest(digest) ||
    !Array.isArray(commands) ||
    commands.length > MAX_COMMANDS
  ) {
    throw new UnreadableEntry(`${where} is not an entry`);
  }
  return { batch, author, epoch, digest, commands: commands.map(checkCommand) };
}

function isDigest(value: unknown): value is [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every(Number.isInteger);
}
