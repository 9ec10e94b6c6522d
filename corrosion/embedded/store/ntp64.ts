/** @module NTP64 times: seconds since 1970 in the upper 32 bits, fractions of a second in the lower ones. */

/** @param ms Milliseconds since 1970. */
export function ntp64(ms: number): bigint {
  const seconds = Math.floor(ms / 1000);
  const fraction = Math.floor(((ms - seconds * 1000) / 1000) * 2 ** 32);
  return (BigInt(seconds) << 32n) | BigInt(fraction);
}

/** Milliseconds since 1970. */
export function ntp64Ms(ts: bigint): number {
  return Number(ts >> 32n) * 1000 + (Number(ts & 0xffff_ffffn) / 2 ** 32) * 1000;
}
