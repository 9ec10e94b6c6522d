/** @module The two fleets that are measured: three nodes in one process, and three processes on three NATS servers. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedPostgres } from "../bin/postgres.ts";
import { startNats } from "../test/helpers/nats.ts";
import { freePort, Program } from "../test/helpers/program.ts";
import { until } from "../test/helpers/until.ts";

const NODES = 3;
/** With a long log, on a busy machine. */
const READY_MS = 180_000;

export interface BenchNode {
  readonly id: string;
  readonly url: string;
  readonly program: Program;
}

export interface BenchFleet {
  readonly mode: "embedded" | "distributed";
  /** One gateway a node. */
  readonly urls: readonly string[];
  /** Its processes. */
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

type Env = Readonly<Record<string, string>>;

/** `npm start` on a data folder of its own; with `dataDir` on that one, which is kept. */
export async function startEmbedded(env: Env = {}, dataDir?: string): Promise<BenchFleet> {
  const folder = dataDir ?? (await mkdtemp(join(tmpdir(), "bench-embedded-")));
  const port = await freePort(NODES + 1);
  const program = new Program("up", {
    FLEET_DATA_DIR: folder,
    FLEET_LOG_DIR: join(folder, "logs"),
    PORT: String(port),
    ...env,
  });
  const stop = async () => {
    await program.end();
    if (dataDir === undefined) await rm(folder, { recursive: true, force: true });
  };
  try {
    await ready(program);
  } catch (error) {
    await stop();
    throw error;
  }
  const urls = Array.from({ length: NODES }, (_, i) => `http://127.0.0.1:${port + 1 + i}`);
  return { mode: "embedded", urls, pids: [program.child.pid!], stop };
}

export interface DistributedFleet extends BenchFleet {
  /** Addresses of the NATS servers, one of each. */
  readonly servers: readonly string[];
  readonly nodes: readonly BenchNode[];
  /** Starts a node that was killed, on its port; resolves once it is ready. */
  restart(id: string): Promise<void>;
}

export interface DistributedOptions {
  readonly env?: Env;
  /** Called when NATS serves and no node runs yet. */
  readonly prepare?: (servers: readonly string[]) => Promise<void>;
}

/** Three node processes on three NATS servers that sync every write, and a Postgres. */
export async function startDistributed({
  env = {},
  prepare,
}: DistributedOptions = {}): Promise<DistributedFleet> {
  const archive = await mkdtemp(join(tmpdir(), "bench-archive-"));
  const postgres = await startEmbeddedPostgres({ dataDir: archive });
  const nats = await startNats({ size: 3 });
  const nodes = new Map<string, BenchNode>();
  const startNode = async (id: string, port: number) => {
    const program = new Program("node", {
      NATS_URL: nats.servers.join(","),
      DATABASE_URL: postgres.url,
      PORT: String(port),
      FLEET_NODE_ID: id,
      FLEET_LOG_LEVEL: "error",
      ...env,
    });
    nodes.set(id, { id, url: `http://127.0.0.1:${port}`, program });
    await ready(program);
  };
  const stop = async () => {
    await Promise.all([...nodes.values()].map(({ program }) => program.end("SIGKILL")));
    await nats.stop();
    await postgres.stop();
    await rm(archive, { recursive: true, force: true });
  };
  try {
    await prepare?.(nats.servers);
    const port = await freePort(NODES);
    await Promise.all(Array.from({ length: NODES }, (_, i) => startNode(`n${i + 1}`, port + i)));
    const urls = [...nodes.values()].map(({ url }) => url);
    await until("every node sees a leader of every group", () => allLed(urls), READY_MS);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    mode: "distributed",
    servers: nats.servers,
    get nodes() {
      return [...nodes.values()];
    },
    get urls() {
      return [...nodes.values()].map(({ url }) => url);
    },
    get pids() {
      return [...nodes.values()].map(({ program }) => program.child.pid!);
    },
    restart: (id) => startNode(id, Number(new URL(nodes.get(id)!.url).port)),
    stop,
  };
}

/** The leader of each group, as a node sees it. */
export async function leaders(url: string): Promise<(string | null)[]> {
  const answer = await fetch(new URL("/api/fleet/status", url));
  return ((await answer.json()) as { leaders: (string | null)[] }).leaders;
}

/** Whether the nodes agree on a leader of every group, and each of them leads some. */
export async function allLed(urls: readonly string[]): Promise<boolean> {
  const views = await Promise.all(urls.map(leaders));
  const first = views[0]!;
  return (
    !first.includes(null) &&
    new Set(first).size === urls.length &&
    views.every((view) => view.every((leader, group) => leader === first[group]))
  );
}

async function ready(program: Program): Promise<void> {
  const isReady = () => /^ready (in|at) /m.test(program.output) || !program.running;
  await until("the program is ready", isReady, READY_MS);
  if (!program.running) throw new Error(`the program ended instead of getting ready:\n${program.output}`);
}
