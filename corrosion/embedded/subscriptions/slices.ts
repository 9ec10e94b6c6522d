/** @module Long work in short slices, so that the process stays answerable. */
import { setImmediate } from "node:timers/promises";

const SLICE_MS = 10;

/** Call it between steps: it resolves at once, or after other work had its turn when the slice is used up. */
export function inSlices(): () => Promise<void> | undefined {
  let began = performance.now();
  return () => {
    if (performance.now() - began < SLICE_MS) return undefined;
    return setImmediate().then(() => {
      began = performance.now();
    });
  };
}
