/** @module How the process ends: once, in order, within a bounded time, with a sentence when something is wrong. */

/** A repeat of a signal within this time is an echo of the same wish. */
const ECHO_MS = 1000;

export interface Ending {
  /** Ends the process with one sentence and exit code 1. */
  readonly halt: (error: Error) => void;
  /** Runs `stop` and exits with 0, as a signal does. */
  readonly shutdown: () => void;
}

/**
 * Installs the handlers of SIGINT, SIGTERM and SIGHUP: the first runs `stop`, for at most `limitMs`; a second exits
 * at once.
 * Errors that nobody caught end the process too, after they were printed.
 */
export function endProperly(stop: () => Promise<unknown>, limitMs: number): Ending {
  let stopping = false;
  let stoppingSince = 0;
  let halted = false;

  const finish = (code: number) => {
    // Stopping must not hang on a server that does not answer any more.
    setTimeout(() => process.exit(code), limitMs).unref();
    stop().then(
      () => process.exit(code),
      (error: unknown) => {
        process.stderr.write(`stopping failed: ${String(error)}\n`);
        process.exit(1);
      },
    );
  };

  const shutdown = () => {
    if (stopping) {
      // One Ctrl-C may arrive twice: from the terminal, and from the process that started this one.
      if (performance.now() - stoppingSince > ECHO_MS) process.exit(1);
      return;
    }
    stopping = true;
    stoppingSince = performance.now();
    finish(0);
  };

  const halt = (error: Error) => {
    if (halted) return;
    halted = true;
    process.stderr.write(`${error.message}\n`);
    if (stopping) return;
    stopping = true;
    finish(1);
  };

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, shutdown);
  process.on("uncaughtException", (error) => {
    process.stderr.write(`${error.stack ?? error.message}\n`);
    halt(
      new Error("Fleetport met an error that nobody handles and stops; what was acknowledged is in the log."),
    );
  });
  return { halt, shutdown };
}

/** What was thrown, as an error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
