/** @module What can go wrong with a log: one class per outcome that a leader must tell apart. */

/** Base of all engine errors; `code` is stable, the message is for people. */
export abstract class LogError extends Error {
  abstract readonly code: "fenced" | "unavailable" | "unknown" | "truncated" | "corrupt" | "groups_mismatch";
}

/** The entry was refused because the log's last index is not the expected one: somebody else has written. */
export class Fenced extends LogError {
  readonly code = "fenced";
  override name = "Fenced";
  readonly group: number;
  readonly expectedLast: number;

  constructor(group: number, expectedLast: number, options?: ErrorOptions) {
    super(`group ${group}: the log no longer ends at index ${expectedLast}`, options);
    this.group = group;
    this.expectedLast = expectedLast;
  }
}

/** The log cannot be reached; an append that throws it was certainly not written. */
export class Unavailable extends LogError {
  readonly code = "unavailable";
  override name = "Unavailable";
}

/** The log has no room: certainly not written, and trying again helps only once somebody has made room. */
export class Full extends Unavailable {
  override name = "Full";
}

/** No answer in time: the entry may or may not have been written. */
export class Unknown extends LogError {
  readonly code = "unknown";
  override name = "Unknown";
}

/** The log begins after the asked index. */
export class Truncated extends LogError {
  readonly code = "truncated";
  override name = "Truncated";
  /** First index that the log still has. */
  readonly first: number;

  constructor(group: number, from: number, first: number) {
    super(`group ${group}: index ${from} is gone, the log begins at ${first}`);
    this.first = first;
  }
}

/** What is stored is not what was written; the process must not go on from it. */
export class Corrupt extends LogError {
  readonly code = "corrupt";
  override name = "Corrupt";
}

/** The logs were created for another number of groups. */
export class GroupsMismatch extends LogError {
  readonly code = "groups_mismatch";
  override name = "GroupsMismatch";

  constructor(stored: number, configured: number, where: string) {
    super(
      `FLEET_GROUPS is ${configured}, but ${where} was created with ${stored} groups: set FLEET_GROUPS=${stored}, or use an empty data folder or NATS account`,
    );
  }
}

/** What an append that threw this has come to; whatever is not known to be a refusal may have been written. */
export function refusalOf(error: unknown): "fenced" | "full" | "unavailable" | "unknown" {
  if (error instanceof Fenced) return "fenced";
  if (error instanceof Full) return "full";
  return error instanceof Unavailable ? "unavailable" : "unknown";
}
