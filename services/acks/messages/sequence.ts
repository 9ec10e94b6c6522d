/** @module Numbers of a node's messages: they grow with the clock, and none comes twice, whatever happens to either. */
import { readFile } from "node:fs/promises";
import { writeDurably } from "../../../lib/durable-file.ts";

/** What stands in for the file in tests of the numbers alone. */
export type Save = (sequence: number) => Promise<void>;

/** The number after `last` at this time: milliseconds since 1970, unless the clock is behind. */
export function nextSequence(last: number, nowMs: number): number {
  return Math.max(last + 1, nowMs);
}

export class Sequence {
  readonly #save: Save;
  #last: number;
  #saved: number;
  #saving: Promise<void> | null = null;

  /** `last` is what was saved before; 0 when nothing was. */
  constructor(last: number, save: Save) {
    this.#last = last;
    this.#saved = last;
    this.#save = save;
  }

  /** The last number that was given out, or reserved by an earlier process. */
  get last(): number {
    return this.#last;
  }

  /** The next number, once it is saved. Throws what `save` throws; the number is not used again then either. */
  async next(nowMs: number): Promise<number> {
    const sequence = nextSequence(this.#last, nowMs);
    this.#last = sequence;
    // One write is for all who came while the one before was under way.
    while (this.#saved < sequence) {
      this.#saving ??= this.#write().finally(() => {
        this.#saving = null;
      });
      await this.#saving;
    }
    return sequence;
  }

  async #write(): Promise<void> {
    const sequence = this.#last;
    await this.#save(sequence);
    this.#saved = sequence;
  }
}

/** The sequence kept in this file, which need not be there. Throws when it holds anything but a number. */
export async function openSequence(file: string): Promise<Sequence> {
  const save: Save = (sequence) => writeDurably(file, `${sequence}\n`);
  return new Sequence(await readLast(file), save);
}

async function readLast(file: string): Promise<number> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (text === null) return 0;
  const last = Number(text.trim());
  if (/^\d+\n$/.test(text) && Number.isSafeInteger(last)) return last;
  throw new Error(
    `${file} holds no sequence number: write the highest sequence of this node's messages into it, in digits and with a line break.`,
  );
}
