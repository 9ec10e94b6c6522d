/** @module Corrosion agents to measure, embedded or real ones, on the same configuration; and a plain HTTP client. */
import { once } from "node:events";
import { type IncomingMessage, request, Agent as Sockets } from "node:http";
import { fileURLToPath } from "node:url";
import { EmbeddedAgent } from "../test/helpers/embedded-agent.ts";
import { until } from "../test/helpers/until.ts";
import { cpuSeconds, ownMiB, type Server, startServer, withChildren } from "./system.ts";

const MAIN = fileURLToPath(new URL("../corrosion/embedded/main.ts", import.meta.url));
const READY_MS = 60_000;

/** A program that takes `agent -c FILE` behind `args`. */
export interface AgentProgram {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
}

export const EMBEDDED: AgentProgram = {
  name: "embedded",
  file: process.execPath,
  args: ["--disable-warning=ExperimentalWarning", MAIN],
};

export class MeasuredAgent {
  readonly #files: EmbeddedAgent;
  readonly #server: Server;
  readonly #sockets = new Sockets({ keepAlive: true, maxSockets: 512 });

  private constructor(files: EmbeddedAgent, server: Server) {
    this.#files = files;
    this.#server = server;
  }

  /** Starts so many agents that know each other; resolves when all answer. */
  static async start(program: AgentProgram, count: number): Promise<MeasuredAgent[]> {
    const agents: MeasuredAgent[] = [];
    try {
      for (let i = 0; i < count; i++) {
        const bootstrap = agents.map((agent) => agent.#files.gossipAddr);
        const files = await EmbeddedAgent.prepare({ bootstrap });
        const args = [...program.args, "agent", "-c", files.configPath];
        agents.push(new MeasuredAgent(files, startServer(program.file, args)));
      }
      for (const agent of agents) await agent.#ready(program.name);
    } catch (error) {
      for (const agent of agents) await agent.stop();
      throw error;
    }
    return agents;
  }

  async #ready(name: string): Promise<void> {
    const ready = () => this.cell("SELECT count(*) FROM tests").then(() => true);
    await until(`${name}: an agent answers`, () => !this.#server.running || ready(), READY_MS);
    if (!this.#server.running) throw new Error(`${name}: the agent has ended: ${this.#server.output}`);
  }

  async stop(): Promise<void> {
    this.#sockets.destroy();
    await this.#server.stop();
    await this.#files.stop();
  }

  /** CPU time so far of all its processes, in seconds. */
  async cpuSeconds(): Promise<number> {
    const each = await Promise.all((await withChildren(this.#server.pid)).map(cpuSeconds));
    return each.reduce((sum, one) => sum + one, 0);
  }

  /** Memory of all its processes, in MiB, without the program's own pages, which they share. */
  async memoryMiB(): Promise<number> {
    const each = await Promise.all((await withChildren(this.#server.pid)).map(ownMiB));
    return each.reduce((sum, one) => sum + one, 0);
  }

  /** Posts; the answer's head, whose body is to be read. Throws unless it is a 200. */
  async post(path: string, body: unknown): Promise<IncomingMessage> {
    const text = JSON.stringify(body);
    const sent = request(this.#files.api + path, {
      method: "POST",
      agent: this.#sockets,
      headers: { "content-type": "application/json", "content-length": Buffer.byteLength(text) },
    });
    sent.end(text);
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    if (answer.statusCode === 200) return answer;
    throw new Error(`${path}: ${answer.statusCode} ${await textOf(answer)}`);
  }

  async transact(...statements: readonly unknown[]): Promise<void> {
    await textOf(await this.post("/v1/transactions", statements));
  }

  /** The first cell of a query's first row; undefined when there is none. */
  async cell(statement: unknown): Promise<unknown> {
    const lines = (await textOf(await this.post("/v1/queries", statement))).split("\n");
    const row = lines.find((line) => line.startsWith('{"row"'));
    return row === undefined ? undefined : (JSON.parse(row) as { row: [number, unknown[]] }).row[1][0];
  }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of answer.setEncoding("utf8")) text += chunk;
  return text;
}
