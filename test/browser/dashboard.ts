/** @module The dashboard that the suite looks at: `npm start`'s program, three nodes with agents that really run. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { MembersAnswer } from "../../public/data/sourced.ts";
import { shortFolder } from "../helpers/agent-node.ts";
import { ask } from "../helpers/console.ts";
import { freePort, Program } from "../helpers/program.ts";
import { until } from "../helpers/until.ts";
import { type Visit, type Visited, visit } from "./browser.ts";

const NODES = 3;
const START_LIMIT_MS = 90_000;

/** How a page of a node (default 1) is opened. */
export type DashboardVisit = Omit<Visit, "url" | "path"> & { readonly node?: number };

export interface Dashboard {
  readonly program: Program;
  /** Origin of node 1, 2 or 3. */
  url(node?: number): string;
  /** Opens a page of a node (default 1): `open("/cluster", { look })`. */
  open(path: string, options?: DashboardVisit): Promise<Visited>;
}

let started: Promise<Dashboard> | null = null;
let stop: () => Promise<void> = () => Promise.resolve();

after(async function () {
  this.timeout(30_000);
  await stop();
});

/** Starts it at the first call; it ends with the suite. Tests leave it as they found it. */
export function dashboard(): Promise<Dashboard> {
  started ??= start();
  return started;
}

async function start(): Promise<Dashboard> {
  const folder = shortFolder();
  // One span for all: of several that are looked for at once two may be the same.
  const first = await freePort(4 * (NODES + 1));
  const [web, ack, api, gossip] = [0, 1, 2, 3].map((kind) => String(first + kind * (NODES + 1)));
  const program = new Program(
    "up",
    {
      HOME: folder,
      PORT: web!,
      API_PORT: ack!,
      CORROSION_API_PORT: api!,
      CORROSION_GOSSIP_PORT: gossip!,
      CORROSION_MODE: "embedded",
      CORROSION_CONFIG_DIR: join(folder, "c"),
      DATA_DIR: join(folder, "d"),
      FLEET_LOG_DIR: join(folder, "l"),
      MEMBERS_REFRESH_MS: "1000",
    },
    [String(NODES), "--no-repl"],
  );
  stop = async () => {
    await program.end();
    rmSync(folder, { recursive: true, force: true });
  };
  await program.ready();
  const url = (node = 1) => `http://127.0.0.1:${first + node}`;
  await until("all agents know each other", () => allJoined(url), START_LIMIT_MS);
  return {
    program,
    url,
    open: (path, { node, ...options } = {}) => visit({ url: url(node), path, ...options }),
  };
}

/** Whether every node's agent knows all of them by name, and as active. */
export async function allJoined(url: (node: number) => string): Promise<boolean> {
  for (let node = 1; node <= NODES; node++) {
    const { text } = await ask({ url: url(node) }, "GET /api/cluster/members");
    const { data }: MembersAnswer = JSON.parse(text);
    const joined = data.members.filter(
      ({ node_id, state, status }) =>
        node_id !== null && status === "active" && state !== "Down" && state !== "Suspect",
    );
    if (joined.length < NODES) return false;
  }
  return true;
}
