/** @module Time that goes on and timers, as those get them who wait: tests give their own. */

/** Time and timers, so that tests can have their own. */
export interface Timers {
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  /** Calls `run` once, `ms` from now; returns what calls it off. */
  after(ms: number, run: () => void): () => void;
}

export const systemTimers: Timers = {
  now: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
