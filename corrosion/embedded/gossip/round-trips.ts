/** @module How far away a peer is: its last round trips, and the ring they put it in. */

const KEPT = 20;
/** Upper bounds of the rings, in milliseconds (contract corrosion, section 4). */
const RINGS = [6, 15, 50, 100, 200, 300] as const;

/** The last round trips with a new one, in whole milliseconds, oldest first. */
export function withRoundTrip(rtts: readonly number[], ms: number): readonly number[] {
  return [...rtts, Math.max(0, Math.round(ms))].slice(-KEPT);
}

/** 0..5 by the average; null when nothing was measured or it is 300 ms and more. */
export function ringOf(rtts: readonly number[]): number | null {
  if (rtts.length === 0) return null;
  const average = rtts.reduce((sum, ms) => sum + ms, 0) / rtts.length;
  const ring = RINGS.findIndex((below) => average < below);
  return ring < 0 ? null : ring;
}
