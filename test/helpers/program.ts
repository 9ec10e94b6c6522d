/** @module The program as a person starts it: a child process of its own, really killed when a test says so. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { until } from "./until.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/fleetport.ts", import.meta.url));

/** Children that still run; they end with the tests whatever happens. */
const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Program {
  readonly child: ChildProcess;
  readonly exited: Promise<Exit>;
  #output = "";

  /** Starts `fleetport <command> <args>` with nothing of this process's configuration but what is given. */
  constructor(
    command: string,
    env: Readonly<Record<string, string>>,
    args: readonly string[] = [],
    cwd = process.cwd(),
  ) {
    const inherited = Object.fromEntries(
      Object.entries(process.env).filter(
        ([name]) =>
          !/^(FLEET|CORROSION_|NODE_ID$|(NATS|DATABASE|REDIS)_URL$|PORT$|HOST$|API_PORT$|ACK_)/.test(name),
      ),
    );
    this.child = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", PROGRAM, command, ...args],
      {
        // Agents listen on ports of their own, and most tests have no use for them.
        env: { ...inherited, CORROSION_MODE: "off", API_PORT: "0", ...env },
        cwd,
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    children.add(this.child);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output += text;
      });
    }
    this.exited = once(this.child, "close").then(([code, signal]) => {
      children.delete(this.child);
      return { code: code as number | null, signal: signal as NodeJS.Signals | null };
    });
  }

  /** Everything printed so far. */
  get output(): string {
    return this.#output;
  }

  get running(): boolean {
    return children.has(this.child);
  }

  /** Waits until the program says that it is ready. Throws with its output when it ended instead. */
  async ready(limitMs = 60_000): Promise<this> {
    await until(
      "the program is ready",
      () => /^ready (in|at) /m.test(this.#output) || !this.running,
      limitMs,
    ).catch((cause: unknown) => {
      throw new Error(`the program is not ready after ${limitMs} ms:\n${this.#output}`, { cause });
    });
    if (!this.running) throw new Error(`the program ended instead of getting ready:\n${this.#output}`);
    return this;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Ends it with a signal and waits until it is gone. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<Exit> {
    if (this.running) this.child.kill(signal);
    return this.exited;
  }
}

/** Given to this process before: whoever got one may not listen there yet. */
const given = new Set<number>();

/**
 * The first of `span` free ports in a row, none of which an outgoing connection gets from the system: something else
 * may open connections before a server listens there, or while it is down.
 */
export async function freePort(span = 1): Promise<number> {
  for (;;) {
    const base = randomInt(10_000, 32_000 - span);
    const ports = Array.from({ length: span }, (_, i) => base + i);
    if (ports.some((port) => given.has(port))) continue;
    for (const port of ports) given.add(port);
    const free = await Promise.all(ports.map((port) => probe(port).catch(() => null)));
    if (!free.includes(null)) return base;
  }
}

async function probe(port: number): Promise<number> {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : port;
}
