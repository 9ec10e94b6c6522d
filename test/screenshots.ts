/** @module `npm run screenshots`: takes the pictures of the documentation anew, with the tests' runner and browser. */
import { join } from "node:path";
import { runNode } from "./runner/group.ts";

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stop.abort());

const { code } = await runNode({
  args: ["node_modules/mocha/bin/mocha.js", "test/browser/documentation.ts"],
  cwd: join(import.meta.dirname, ".."),
  output: "inherit",
  signal: stop.signal,
});
process.exitCode = code ?? 1;
