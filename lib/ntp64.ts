/** @module Times of Corrosion agents: NTP64, whole seconds since 1970 in the upper 32 bits, their fraction in the lower. */

const FRACTION_BITS = 32n;
const FRACTION = (1n << FRACTION_BITS) - 1n;
const MAX_NTP64 = (1n << 64n) - 1n;
const MICROS_PER_SECOND = 1_000_000n;

/** A 64-bit unsigned integer as JSON holds it; null when the value is none. Zero is a value of its own. */
export function ntp64Of(value: unknown): bigint | null {
  if (typeof value === "number") return Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : null;
  if (typeof value === "string") return /^\d{1,20}$/.test(value) ? ntp64Of(BigInt(value)) : null;
  return typeof value === "bigint" && value >= 0n && value <= MAX_NTP64 ? value : null;
}

/** @param ms Milliseconds since 1970. */
export function ntp64(ms: number): bigint {
  const seconds = Math.floor(ms / 1000);
  const fraction = Math.floor(((ms - seconds * 1000) / 1000) * 2 ** 32);
  return (BigInt(seconds) << FRACTION_BITS) | BigInt(fraction);
}

/** Milliseconds since 1970. */
export function ntp64Ms(ts: bigint): number {
  return Number(ts >> FRACTION_BITS) * 1000 + (Number(ts & FRACTION) / 2 ** 32) * 1000;
}

/** Microseconds since 1970, rounded down. */
export function ntp64ToMicros(ntp64: bigint): number {
  const seconds = ntp64 >> FRACTION_BITS;
  const micros = ((ntp64 & FRACTION) * MICROS_PER_SECOND) >> FRACTION_BITS;
  return Number(seconds * MICROS_PER_SECOND + micros);
}
