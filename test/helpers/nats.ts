/** @module Real NATS servers for tests: one alone or a cluster of three, on loopback, with their data in a temporary folder. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureNatsServer } from "../../bin/nats-server.ts";
import { suspend } from "./suspend.ts";
import { until } from "./until.ts";

export interface NatsOptions {
  /** One server alone, or a cluster of three. */
  readonly size: 1 | 3;
  /** Default true. */
  readonly jetstream?: boolean;
  /** Whether every write is synced before its acknowledgement; default true, as Fleetport asks of its servers. */
  readonly syncAlways?: boolean;
  /** How many of the servers, the last ones, join the cluster only when `restart` is called for them; default 0. */
  readonly late?: number;
  /** Whether the servers tell their clients of each other; default true. Without it a client knows only what it was given. */
  readonly advertise?: boolean;
  /** Where each server keeps its streams; default: with the rest, in a temporary folder. */
  readonly stores?: readonly string[];
  /** What clients must give; default: nothing. `servers` do not show it. */
  readonly credentials?: { readonly user: string; readonly password: string } | { readonly token: string };
}

export interface NatsServers {
  /** Client addresses, one for each server. */
  readonly servers: readonly string[];
  /** Ends a server as a power cut would (SIGKILL). */
  kill(i: number): Promise<void>;
  /** Starts a killed or late server, on its ports and data, and waits until it serves. */
  restart(i: number): Promise<void>;
  /** Stops a server's clock: it keeps its connections and answers nothing (SIGSTOP). */
  pause(i: number): Promise<void>;
  resume(i: number): void;
  /** Waits until JetStream works again: there is a leader and every stream of every server is up to date. */
  healthy(): Promise<void>;
  /** Ends all servers and removes their data. */
  stop(): Promise<void>;
}

const START_MS = 60_000;
const HEALTHY_IN_A_ROW = 5;

interface Server {
  readonly config: string;
  readonly monitor: string;
  child: ChildProcess | null;
  guard: ChildProcess | null;
}

/** Starts the servers and waits until they serve, with JetStream until there is a meta leader. */
export async function startNats(options: NatsOptions): Promise<NatsServers> {
  const program = await ensureNatsServer();
  const folder = await mkdtemp(join(tmpdir(), "fleetport-nats-"));
  const ports = await freePorts(options.size * 3);
  const jetstream = options.jetstream ?? true;
  const atFirst = options.size - (options.late ?? 0);
  const routes = Array.from({ length: options.size }, (_, i) => `"nats://127.0.0.1:${ports[i * 3 + 1]}"`);
  const servers: Server[] = [];
  for (let i = 0; i < options.size; i++) {
    const [client, route, monitor] = ports.slice(i * 3, i * 3 + 3);
    const home = join(folder, `n${i}`);
    await mkdir(home);
    const config = join(home, "nats.conf");
    const lines = [`server_name: n${i}`, `listen: "127.0.0.1:${client}"`, `http: "127.0.0.1:${monitor}"`];
    if (jetstream) {
      const sync = (options.syncAlways ?? true) ? ", sync_interval: always" : "";
      lines.push(`jetstream { store_dir: "${options.stores?.[i] ?? home}"${sync} }`);
    }
    if (options.credentials) {
      const wanted = Object.entries(options.credentials);
      lines.push(
        `authorization { ${wanted.map(([name, value]) => `${name}: ${JSON.stringify(value)}`).join(", ")} }`,
      );
    }
    // Who is named here is waited for; a late server makes itself known when it comes.
    const known = i < atFirst ? routes.slice(0, atFirst) : routes;
    const silent = options.advertise === false ? ", no_advertise: true" : "";
    if (options.size > 1)
      lines.push(`cluster { name: fleet, listen: "127.0.0.1:${route}", routes: [${known}]${silent} }`);
    await writeFile(config, `${lines.join("\n")}\n`);
    servers.push({ config, monitor: `http://127.0.0.1:${monitor}`, child: null, guard: null });
  }

  const running = (): Server[] => servers.filter((server) => server.child !== null);
  const stop = async (): Promise<void> => {
    await Promise.all(running().map((server) => end(server)));
    await rm(folder, { recursive: true, force: true });
  };
  const healthy = async (): Promise<void> => {
    const isHealthy = async (): Promise<boolean> => {
      const answers = await Promise.all(running().map((server) => get(`${server.monitor}/healthz`)));
      if (!answers.every((answer) => answer?.status === "ok")) return false;
      return !jetstream || options.size === 1 || (await hasMetaLeader(running()));
    };
    // A leader that was just elected by some of the servers may be replaced when the last one joins.
    let inARow = 0;
    const staysHealthy = async (): Promise<boolean> => {
      inARow = (await isHealthy()) ? inARow + 1 : 0;
      return inARow === HEALTHY_IN_A_ROW;
    };
    await until("NATS is healthy", staysHealthy, START_MS);
  };
  try {
    for (const server of servers.slice(0, atFirst)) start(program, server);
    await healthy();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    servers: servers.map((_, i) => `nats://127.0.0.1:${ports[i * 3]}`),
    kill: (i) => end(servers[i]!),
    restart: async (i) => {
      start(program, servers[i]!);
      const isBack = async (): Promise<boolean> => {
        const answer = await get(`${servers[i]!.monitor}/healthz?js-server-only=true`);
        return answer?.status === "ok";
      };
      await until("the NATS server is back", isBack, START_MS);
    },
    pause: async (i) => {
      const pid = servers[i]!.child?.pid;
      if (pid !== undefined) await suspend(pid);
    },
    resume: (i) => void servers[i]!.child?.kill("SIGCONT"),
    healthy,
    stop,
  };
}

function start(program: string, server: Server): void {
  const child = spawn(program, ["-c", server.config], { stdio: "ignore" });
  server.child = child;
  // Blocks on a pipe that only this process holds: however this process ends, the server does not outlive it.
  const guard = spawn("sh", ["-c", 'read _; kill -9 "$0"', String(child.pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  guard.stdin.on("error", () => {});
  server.guard = guard;
  child.once("exit", () => {
    guard.kill("SIGKILL");
    if (server.child === child) server.child = null;
  });
}

async function end(server: Server): Promise<void> {
  const { child, guard } = server;
  if (!child) return;
  const gone = [once(child, "exit"), ...(guard ? [once(guard, "exit")] : [])];
  child.kill("SIGKILL");
  await Promise.all(gone);
}

/** Whether all servers agree on one meta leader that knows all of them. */
async function hasMetaLeader(servers: readonly Server[]): Promise<boolean> {
  const answers = await Promise.all(servers.map((server) => get(`${server.monitor}/jsz`)));
  const metas = answers.map((answer) => answer?.meta_cluster);
  const leaders = new Set(metas.map((meta) => (isRecord(meta) ? meta.leader : undefined)));
  const leader = [...leaders][0];
  if (leaders.size !== 1 || typeof leader !== "string" || leader === "") return false;
  return metas.some((meta) => {
    const peers = isRecord(meta) && Array.isArray(meta.replicas) ? meta.replicas : [];
    const present = peers.filter(
      (peer: unknown) => isRecord(peer) && peer.current === true && peer.offline !== true,
    );
    return present.length >= servers.length - 1;
  });
}

async function get(url: string): Promise<Record<string, unknown> | null> {
  try {
    const answer: unknown = await (await fetch(url, { signal: AbortSignal.timeout(1000) })).json();
    return isRecord(answer) ? answer : null;
  } catch {
    // Not up yet, or just killed.
    return null;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** Ports that were free a moment ago; all are held until the last one is found, so none comes twice. */
async function freePorts(count: number): Promise<number[]> {
  const holders = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  const ports = holders.map((server) => {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return address.port;
  });
  await Promise.all(holders.map((server) => once(server.close(), "close")));
  return ports;
}
