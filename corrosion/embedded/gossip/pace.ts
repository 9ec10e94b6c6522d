/** @module How fast gossip is, and how much it holds. */
import type { Pace } from "./contract.ts";

export const PACE: Pace = {
  roundMs: 1000,
  suspectAfterMs: 3000,
  downAfterMs: 10_000,
  forgetAfterMs: 2 * 24 * 3600 * 1000,
  silenceMs: 5000,
  helloMs: 5000,
  frameMs: 30_000,
  redialMs: 5000,
  askMs: 10_000,
  refusedMs: 60_000,
  sendBufferBytes: 4 * 1024 * 1024,
  receiveBufferBytes: 4 * 1024 * 1024,
  chunkBytes: 64 * 1024,
  maxFrameBytes: 64 * 1024 * 1024,
};
