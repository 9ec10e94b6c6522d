/** @module Time: microseconds since 1970 as integers, and their ISO-8601 form. */

/** ISO-8601 UTC with microseconds, as `isoMicros` writes it. */
export type Timestamp = string;

/** Reads the present time in whole microseconds since 1970. */
export type Clock = () => number;

/** The machine's clock; its resolution below a millisecond comes from the monotonic timer. */
export const systemClock: Clock = () => {
  const now = Date.now() * 1000;
  const fine = Math.floor((performance.timeOrigin + performance.now()) * 1000);
  // The monotonic timer drifts away when the wall clock is set; then the wall clock wins.
  return Math.abs(fine - now) < 1_000_000 ? fine : now;
};

/**
 * The time of the process's start, moved on by the monotonic timer: two readings of it give a duration, also when
 * somebody sets the machine's clock between them. It may differ from the machine's clock by then.
 */
export const originClock: Clock = () => Math.floor((performance.timeOrigin + performance.now()) * 1000);

/** `2026-01-02T03:04:05.678901Z`: ISO-8601 UTC with six decimals (contract, section 1). */
export function isoMicros(micros: number): string {
  const millis = Math.floor(micros / 1000);
  const rest = String(micros - millis * 1000).padStart(3, "0");
  return `${new Date(millis).toISOString().slice(0, -1)}${rest}Z`;
}

const ISO_MICROS = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})(\d{3})Z$/;

/** The time that `isoMicros` wrote; null when the text is none of its. */
export function microsOf(text: string): number | null {
  const [, millis, rest] = ISO_MICROS.exec(text) ?? [];
  const micros = Date.parse(`${millis}Z`) * 1000 + Number(rest);
  // Comparing refuses days that no month has.
  return Number.isSafeInteger(micros) && isoMicros(micros) === text ? micros : null;
}
