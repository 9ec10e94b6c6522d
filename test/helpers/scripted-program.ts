/** @module A program that answers like an agent and fails as a script says: for failures that a real one cannot be made to give. */
import { appendFileSync, chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "smol-toml";

/** What the next start does. */
export interface Script {
  /** Ends at once with code 1 and this line on standard error. */
  readonly die?: string;
  /** Listens, but answers nothing. */
  readonly mute?: boolean;
  /** Answers `SELECT 1`, and no subscription ever gets a line. */
  readonly silentSubscriptions?: boolean;
  /** Pays no attention to SIGTERM. */
  readonly stubborn?: boolean;
  /** Ends with this code as soon as a subscription is asked for. */
  readonly dieOnSubscription?: number;
}

export interface ScriptedProgram {
  /** For CORROSION_BIN. */
  readonly bin: string;
  write(script: Script): void;
  /** One entry a start: its pid and the names of its environment. */
  starts(): { readonly pid: number; readonly env: readonly string[]; readonly bootstrap: unknown }[];
}

/** Puts an executable into the folder. */
export function scriptedProgram(folder: string): ScriptedProgram {
  const bin = join(folder, "corrosion");
  const script = join(folder, "script.json");
  const starts = join(folder, "starts.ndjson");
  const self = fileURLToPath(import.meta.url);
  writeFileSync(script, "{}");
  writeFileSync(
    bin,
    `#!/bin/sh\nexec '${process.execPath}' --disable-warning=ExperimentalWarning '${self}' '${script}' '${starts}' "$@"\n`,
  );
  chmodSync(bin, 0o755);
  return {
    bin,
    write: (next) => writeFileSync(script, JSON.stringify(next)),
    starts: () =>
      existsSync(starts)
        ? readFileSync(starts, "utf8")
            .split("\n")
            .filter((line) => line !== "")
            .map((line) => JSON.parse(line) as ReturnType<ScriptedProgram["starts"]>[number])
        : [],
  };
}

function main([scriptFile = "", startsFile = "", command, option, config = ""]: readonly string[]): void {
  const script = JSON.parse(readFileSync(scriptFile, "utf8")) as Script;
  const toml = parse(readFileSync(config, "utf8")) as {
    api: { addr: string };
    gossip: { bootstrap: unknown };
  };
  const env = Object.keys(process.env);
  const { bootstrap } = toml.gossip;
  appendFileSync(startsFile, `${JSON.stringify({ pid: process.pid, env, bootstrap })}\n`);
  if (command !== "agent" || option !== "-c") throw new Error(`started as ${command} ${option}`);
  if (script.die !== undefined) {
    process.stderr.write(`${script.die}\n`);
    process.exit(1);
  }
  process.on("SIGTERM", () => {
    if (!script.stubborn) process.exit(0);
  });
  const [host, port] = toml.api.addr.split(":");
  const server = createServer((request, response) => {
    if (script.mute) return;
    request.resume();
    if (request.url?.startsWith("/v1/subscriptions")) {
      if (script.dieOnSubscription !== undefined) process.exit(script.dieOnSubscription);
      response.writeHead(200, { "corro-query-id": crypto.randomUUID() });
      response.flushHeaders();
      if (!script.silentSubscriptions) response.write('{"columns":["pk"]}\n');
      return;
    }
    response.end('{"columns":["1"]}\n{"row":[1,[1]]}\n{"eoq":{"time":5e-8}}\n');
  });
  server.listen(Number(port), host, () => process.stdout.write("listening\n"));
}

if (import.meta.main) main(process.argv.slice(2));
