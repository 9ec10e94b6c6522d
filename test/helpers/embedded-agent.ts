/** @module Embedded agents as real child processes, each on free ports and in a temporary folder of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "./program.ts";
import { until } from "./until.ts";

const MAIN = fileURLToPath(new URL("../../corrosion/embedded/main.ts", import.meta.url));
const NODE_FLAGS = ["--disable-warning=ExperimentalWarning"];

export const TEST_SCHEMA = `CREATE TABLE tests (id INTEGER NOT NULL PRIMARY KEY, text TEXT NOT NULL DEFAULT '');
CREATE TABLE tests2 (id INTEGER NOT NULL PRIMARY KEY, text TEXT NOT NULL DEFAULT '');`;

/** Children that still run; they end with the tests whatever happens. */
const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

export interface AgentOptions {
  /** Text of the schema file; default `TEST_SCHEMA`. */
  readonly schema?: string;
  /** Gossip addresses of others. */
  readonly bootstrap?: readonly string[];
  /** More lines of TOML for the tables `[api]` and `[gossip]`, and more tables. */
  readonly api?: string;
  readonly gossip?: string;
  readonly more?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Where all its files are; default a new temporary folder, which `stop` removes. */
  readonly folder?: string;
}

export interface AgentExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What the run printed. */
  readonly stdout: string;
  readonly stderr: string;
}

export class EmbeddedAgent {
  readonly folder: string;
  readonly configPath: string;
  readonly apiPort: number;
  readonly gossipPort: number;
  readonly #env: Readonly<Record<string, string>>;
  readonly #ownFolder: boolean;
  #child: ChildProcess | null = null;
  #exited: Promise<AgentExit> | null = null;
  #stdout = "";
  #stderr = "";

  private constructor(options: AgentOptions, ports: readonly [number, number]) {
    this.#ownFolder = options.folder === undefined;
    this.folder = options.folder ?? mkdtempSync(join(tmpdir(), "fpa-"));
    [this.apiPort, this.gossipPort] = ports;
    this.#env = options.env ?? {};
    this.configPath = join(this.folder, "config.toml");
    mkdirSync(join(this.folder, "schema"), { recursive: true });
    this.writeSchema(options.schema ?? TEST_SCHEMA);
    writeFileSync(
      this.configPath,
      `[db]
path = "${this.dbPath}"
schema_paths = ["${join(this.folder, "schema")}"]
subscriptions_path = "${this.subscriptionsPath}"
[api]
addr = "127.0.0.1:${this.apiPort}"
${options.api ?? ""}
[gossip]
addr = "127.0.0.1:${this.gossipPort}"
bootstrap = ${JSON.stringify(options.bootstrap ?? [])}
plaintext = true
${options.gossip ?? ""}
[admin]
path = "${this.adminPath}"
${options.more ?? ""}
`,
    );
  }

  /** Writes the files, starts nothing. */
  static async prepare(options: AgentOptions = {}): Promise<EmbeddedAgent> {
    return new EmbeddedAgent(options, [await freePort(), await freePort()]);
  }

  /** Starts an agent and waits until its API answers. */
  static async start(options: AgentOptions = {}): Promise<EmbeddedAgent> {
    const agent = await EmbeddedAgent.prepare(options);
    await agent.run();
    return agent;
  }

  get api(): string {
    return `http://127.0.0.1:${this.apiPort}`;
  }

  get gossipAddr(): string {
    return `127.0.0.1:${this.gossipPort}`;
  }

  get dbPath(): string {
    return join(this.folder, "corrosion.db");
  }

  get subscriptionsPath(): string {
    return join(this.folder, "subscriptions");
  }

  get adminPath(): string {
    return join(this.folder, "admin.sock");
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error("The agent does not run.");
    return pid;
  }

  get running(): boolean {
    return this.#child !== null;
  }

  /** What the present run, or the last one, has printed. */
  get output(): string {
    return this.#stdout + this.#stderr;
  }

  /** Ids of the processes that the agent has started and that live. */
  get childPids(): number[] {
    return readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, "utf8")
      .trim()
      .split(" ")
      .filter(Boolean)
      .map(Number);
  }

  writeSchema(text: string): void {
    writeFileSync(join(this.folder, "schema", "schema.sql"), text);
  }

  /** Starts the process and waits until its API answers. Throws with its output when it ends instead. */
  async run(): Promise<void> {
    const exited = this.launch();
    await until("the agent is ready", () => /agent ready/.test(this.#stdout) || !this.running, 30_000);
    if (this.running) return;
    const { code, stderr, stdout } = await exited;
    throw new Error(`the agent ended with code ${code} instead of getting ready:\n${stdout}${stderr}`);
  }

  /** Starts the process; resolves when it has ended. */
  launch(): Promise<AgentExit> {
    this.#stdout = "";
    this.#stderr = "";
    const child = spawn(process.execPath, [...NODE_FLAGS, MAIN, "agent", "-c", this.configPath], {
      env: { PATH: process.env.PATH ?? "", ...this.#env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    children.add(child);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
    this.#exited = once(child, "close").then(([code, signal]) => {
      children.delete(child);
      this.#child = null;
      return {
        code: code as number | null,
        signal: signal as NodeJS.Signals | null,
        stdout: this.#stdout,
        stderr: this.#stderr,
      };
    });
    return this.#exited;
  }

  /** Sends a signal and waits until the process is gone. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<AgentExit> {
    if (this.#exited === null) throw new Error("The agent was never started.");
    this.#child?.kill(signal);
    return this.#exited;
  }

  /** Ends it and removes its folder. */
  async stop(): Promise<void> {
    if (this.running) await this.end("SIGTERM");
    if (this.#ownFolder) rmSync(this.folder, { recursive: true, force: true });
  }

  /** Runs another command of the program with this agent's configuration. */
  cli(...args: readonly string[]): Promise<AgentExit> {
    return runCli(["-c", this.configPath, ...args], this.#env);
  }

  /** Posts statements; the answer as it came. */
  async transact(
    statements: readonly unknown[],
    query = "",
  ): Promise<{ status: number; body: TransactionBody }> {
    const response = await this.post(`/v1/transactions${query}`, statements);
    return { status: response.status, body: (await response.json()) as TransactionBody };
  }

  /** Posts one query; the lines of the answer. */
  async query(statement: unknown, query = ""): Promise<{ status: number; lines: QueryLine[] }> {
    const response = await this.post(`/v1/queries${query}`, statement);
    const text = await response.text();
    const lines = text.split("\n").filter((line) => line !== "");
    return { status: response.status, lines: lines.map((line) => JSON.parse(line) as QueryLine) };
  }

  /** The cells of all rows of a query. */
  async rows(statement: unknown): Promise<unknown[][]> {
    const { lines } = await this.query(statement);
    return lines.flatMap(({ row }) => (row === undefined ? [] : [row[1]]));
  }

  post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return fetch(this.api + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  }
}

export interface TransactionBody {
  readonly results: readonly {
    readonly rows_affected?: number;
    readonly time?: number;
    readonly error?: string;
  }[];
  readonly time: number;
  readonly version: number | null;
  readonly actor_id: string;
}

export interface QueryLine {
  readonly columns?: readonly string[];
  readonly row?: readonly [number, unknown[]];
  readonly eoq?: { readonly time: number };
  readonly error?: string;
}

/** Runs the program and waits for its end. */
export async function runCli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<AgentExit> {
  const child = spawn(process.execPath, [...NODE_FLAGS, MAIN, ...args], {
    env: { PATH: process.env.PATH ?? "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.add(child);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const [code, signal] = await once(child, "close");
  children.delete(child);
  return { code: code as number | null, signal: signal as NodeJS.Signals | null, stdout, stderr };
}
