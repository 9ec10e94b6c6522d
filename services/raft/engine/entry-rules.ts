/** @module What every engine checks of an append before it is sent, and what it remembers of one whose outcome is open. */
import { MAX_ENTRY_BYTES } from "./engine.ts";
import { Unavailable, Unknown } from "./errors.ts";

/** Throws `RangeError` for arguments that no engine takes: they are a mistake in the program, not an outcome. */
export function checkEntry(entry: Uint8Array, expectedLast: number): void {
  if (entry.length > MAX_ENTRY_BYTES)
    throw new RangeError(`an entry of ${entry.length} bytes is over the limit of ${MAX_ENTRY_BYTES}`);
  if (!Number.isSafeInteger(expectedLast) || expectedLast < 0)
    throw new RangeError(`expectedLast is ${expectedLast}, it must be an index or 0`);
}

/**
 * Remembers the message whose outcome is open. A later attempt that was certainly not written says nothing about
 * the earlier one, so for that message `Unavailable` stays `Unknown` until an attempt settles it.
 */
export class DoubtKeeper {
  #messageId: string | null = null;

  async settle(messageId: string, attempt: () => Promise<number>): Promise<number> {
    try {
      const index = await attempt();
      this.#messageId = null;
      return index;
    } catch (error) {
      if (error instanceof Unknown) this.#messageId = messageId;
      else if (messageId === this.#messageId) {
        if (error instanceof Unavailable)
          throw new Unknown(`an earlier attempt is still in doubt, and now ${error.message}`, {
            cause: error,
          });
        this.#messageId = null;
      }
      throw error;
    }
  }
}
