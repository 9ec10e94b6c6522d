/** @module The embedded development agent as a program: Corrosion's command line. */
import { run } from "./cli/run.ts";

/** Resolves at the first signal that asks for the end; a second one ends the process at once. */
function stopped(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  });
}

const code = await run(process.argv.slice(2), {
  env: process.env,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  stopped,
});
// Whatever may still be open: who waits for this process to end shall not wait longer.
process.exit(code);
