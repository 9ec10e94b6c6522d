/** @module Where an entry of a stream was written for: a copy of the stream that holds it elsewhere is damaged. */
import type { MsgHdrs } from "nats";

/** Header of every append: the last index that its writer knew. */
export const EXPECTED_LAST = "Nats-Expected-Last-Sequence";

/** Whether an entry stands where its writer put it. */
export function inPlace(headers: MsgHdrs | undefined, index: number): boolean {
  const expected = headers?.get(EXPECTED_LAST);
  return !expected || Number(expected) + 1 === index;
}
