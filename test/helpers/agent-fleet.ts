/** @module A fleet as a person starts it, with its agents: its ports, its processes, and whether it serves all the while. */
import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "../../lib/json.ts";
import { identify, type ProcessIdentity } from "../../lib/process-identity.ts";
import type { AgentStatus } from "../../services/corrosion/contract.ts";
import { ask, type Reply } from "./console.ts";
import { request } from "./http.ts";
import { freePort } from "./program.ts";
import { until } from "./until.ts";

export interface FleetPorts {
  /** Node N listens on `web + N`, its agent on `api + N`, and it gossips on `gossip + N`. */
  readonly web: number;
  readonly api: number;
  readonly gossip: number;
}

/** A folder whose path is short enough for a socket. */
export function fleetFolder(): string {
  return mkdtempSync(join(tmpdir(), "fa-"));
}

export async function fleetPorts(): Promise<FleetPorts> {
  const base = await freePort(15);
  return { web: base, api: base + 4, gossip: base + 8 };
}

/** The environment of an embedded start with embedded agents, all of it in `folder`. */
export function fleetEnv(folder: string, { web, api, gossip }: FleetPorts): Record<string, string> {
  return {
    FLEET_DATA_DIR: join(folder, "d"),
    FLEET_LOG_DIR: join(folder, "logs"),
    FLEET_GROUPS: "4",
    PORT: String(web),
    API_PORT: "0",
    CORROSION_MODE: "embedded",
    CORROSION_API_PORT: String(api),
    CORROSION_GOSSIP_PORT: String(gossip),
    CORROSION_CONFIG_DIR: join(folder, "c"),
  };
}

/** What people and pages ask of a node. */
export class FleetNode {
  readonly url: string;

  constructor(port: number) {
    this.url = `http://127.0.0.1:${port}`;
  }

  ask(target: string, body?: unknown): Promise<Reply> {
    return ask(this, target, body);
  }

  async agent(): Promise<AgentStatus & JsonObject> {
    return (await this.ask("GET /api/agent")).body as AgentStatus & JsonObject;
  }

  /** Waits until the agent's status is as `condition` says, and returns it. */
  reaches(what: string, condition: (status: AgentStatus) => boolean, limitMs = 60_000): Promise<AgentStatus> {
    return until(
      `${this.url}: ${what}`,
      async () => {
        const status = await this.agent();
        return condition(status) ? status : null;
      },
      limitMs,
    );
  }

  running(limitMs?: number): Promise<AgentStatus> {
    return this.reaches("its agent runs", ({ state }) => state === "running", limitMs);
  }

  /** Writes with a statement of the console. */
  write(sql: string): Promise<Reply> {
    return this.ask("POST /api/console/run", { sql, mode: "write" });
  }

  async rows(sql: string): Promise<unknown> {
    const { body } = await this.ask("POST /api/console/run", { sql });
    return body.rows;
  }
}

/** The processes below this one that live now, whoever started them. */
export function descendants(pid: number): ProcessIdentity[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  const children = new Map<number, number[]>();
  for (const line of table.trim().split("\n")) {
    const [child = 0, parent = 0] = line.trim().split(/\s+/).map(Number);
    children.set(parent, [...(children.get(parent) ?? []), child]);
  }
  const found: number[] = [];
  const open = [pid];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const below = children.get(next) ?? [];
    found.push(...below);
    open.push(...below);
  }
  return found.map(identify).filter((one) => one !== null);
}

/** Appends messages through each of these nodes, one after another, until it is stopped. */
export class Traffic {
  readonly #stop = new AbortController();
  readonly #over: Promise<unknown>;
  readonly #failures: string[] = [];
  #appended = 0;

  constructor(nodes: readonly FleetNode[], session: string) {
    this.#over = Promise.all(nodes.map(({ url }) => this.#append(url, session)));
  }

  /** Ends it, and returns what went wrong. Throws when nothing was appended. */
  async stop(): Promise<readonly string[]> {
    this.#stop.abort();
    await this.#over;
    if (this.#appended === 0) throw new Error("no message was appended");
    return this.#failures;
  }

  async #append(url: string, session: string): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        const body = { user_id: "u", content: { at: Date.now() } };
        const path = `/api/sessions/${session}/messages`;
        const append = await request(url, "POST", path, body, {}, AbortSignal.timeout(5000));
        const ready = await request(url, "GET", "/health/ready", undefined, {}, AbortSignal.timeout(5000));
        if (append.status === 200 && ready.status === 200) this.#appended += 1;
        else this.#failures.push(`${url}: append ${append.status}, ready ${ready.status}`);
      } catch (error) {
        this.#failures.push(`${url}: ${String(error)}`);
      }
      // The pace of the load, not a wait.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
