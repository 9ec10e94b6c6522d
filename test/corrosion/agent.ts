/**
 * @module The agent that the suite is run against: one that it starts itself (embedded, or the program that
 * `CORROSION_TEST_BIN` names), or one that runs already at `CORROSION_TEST_URL`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CorrosionClient } from "../../lib/corrosion/client/http.ts";
import { freePort } from "../helpers/program.ts";
import { until } from "../helpers/until.ts";
import { removeOurs } from "./messages.ts";

const SCHEMAS = fileURLToPath(new URL("../../corrosion/schemas", import.meta.url));
const EMBEDDED = fileURLToPath(new URL("../../corrosion/embedded/main.ts", import.meta.url));

/** Null: the suite starts its own agent. */
const EXTERNAL = process.env.CORROSION_TEST_URL || null;
const TOKEN = process.env.CORROSION_API_TOKEN || null;

/** Whether the suite may end the agent and start it again. */
export const OWN_AGENT = EXTERNAL === null;

const START_MS = 30_000;

const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

export class TestedAgent {
  readonly url: string;
  readonly client: CorrosionClient;
  readonly #folder: string | null;
  #child: ChildProcess | null = null;
  #output = "";

  private constructor(url: string, folder: string | null) {
    this.url = url;
    this.#folder = folder;
    this.client = new CorrosionClient({ url, token: TOKEN, timeoutMs: 10_000 });
  }

  /** The agent, answering. */
  static async start(): Promise<TestedAgent> {
    if (EXTERNAL !== null) {
      const agent = new TestedAgent(EXTERNAL, null);
      await agent.client.ping();
      return agent;
    }
    const folder = mkdtempSync(join(tmpdir(), "fpc-"));
    const [api, gossip] = [await freePort(), await freePort()];
    writeFileSync(join(folder, "config.toml"), configuration(folder, api, gossip));
    const agent = new TestedAgent(`http://127.0.0.1:${api}`, folder);
    await agent.run();
    return agent;
  }

  /** Starts the process again, and waits until it answers. */
  async run(): Promise<void> {
    const config = join(this.#folder ?? "", "config.toml");
    const bin = process.env.CORROSION_TEST_BIN || null;
    const [program, args] = bin
      ? [bin, []]
      : [process.execPath, ["--disable-warning=ExperimentalWarning", EMBEDDED]];
    this.#output = "";
    const child = spawn(program, [...args, "agent", "-c", config], {
      env: { PATH: process.env.PATH ?? "" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    children.add(child);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-10_000);
      });
    }
    child.once("close", () => {
      children.delete(child);
      this.#child = null;
    });
    child.once("error", (error) => {
      this.#output += error.message;
    });
    const ready = () => this.client.ping({ timeoutMs: 1000 }).then(() => true);
    await until("the agent answers", () => this.#child === null || ready(), START_MS);
    if (this.#child === null) throw new Error(`the agent ended instead of getting ready:\n${this.#output}`);
  }

  /** Ends the process, and waits until it is gone. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    const closed = once(child, "close");
    child.kill(signal);
    await closed;
  }

  /** Takes this run's rows away, and ends what the suite started. */
  async stop(): Promise<void> {
    await removeOurs(this.client);
    await this.end("SIGTERM");
    if (this.#folder !== null) rmSync(this.#folder, { recursive: true, force: true });
  }
}

function configuration(folder: string, api: number, gossip: number): string {
  return `[db]
path = "${join(folder, "corrosion.db")}"
schema_paths = ["${SCHEMAS}"]
subscriptions_path = "${join(folder, "subscriptions")}"
[api]
addr = "127.0.0.1:${api}"
[gossip]
addr = "127.0.0.1:${gossip}"
bootstrap = []
plaintext = true
[admin]
path = "${join(folder, "admin.sock")}"
`;
}
