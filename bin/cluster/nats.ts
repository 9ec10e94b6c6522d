/** @module The NATS servers of a cluster: three in one JetStream cluster, each write synced before it is acknowledged. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isOlder } from "../../services/raft/engine/nats-version.ts";
import { ensureNatsServer, versionOf } from "../nats-server.ts";
import { launch } from "./background.ts";
import { COUNT, type Layout, NATS_SERVERS } from "./layout.ts";
import type { Part } from "./part.ts";

const HOST = "127.0.0.1";
/** The first version that knows `sync_interval`. */
const SYNC_SINCE = "2.10.0";
const TIMEOUT_MS = 1000;

export function natsUrl({ natsPort }: Layout): string {
  return NATS_SERVERS.map((_, i) => `nats://${HOST}:${natsPort + i}`).join(",");
}

export function natsParts(layout: Layout): Part[] {
  const { natsPort, natsRoutePort, natsMonitorPort } = layout;
  return NATS_SERVERS.map((name, i) => {
    const address = `nats://${HOST}:${natsPort + i}`;
    return {
      name,
      address,
      ports: [
        { host: HOST, port: natsPort + i, variable: "FLEET_CLUSTER_NATS_PORT" },
        { host: HOST, port: natsRoutePort + i, variable: "FLEET_CLUSTER_NATS_ROUTE_PORT" },
        { host: HOST, port: natsMonitorPort + i, variable: "FLEET_CLUSTER_NATS_MONITOR_PORT" },
      ],
      launch: async () => {
        const command = await ensureNatsServer();
        const home = join(layout.folder, name);
        const file = join(home, "nats.conf");
        await mkdir(home, { recursive: true });
        await writeFile(file, configuration(layout, i, home, (await versionOf(command)) ?? ""));
        return launch(layout.pids, {
          part: {
            name,
            address,
            health: `http://${HOST}:${natsMonitorPort + i}/healthz`,
            log: join(layout.logs, `${name}.log`),
          },
          command,
          args: ["-c", file],
        });
      },
    };
  });
}

function configuration(layout: Layout, i: number, home: string, version: string): string {
  const routes = NATS_SERVERS.map((_, n) => `"nats://${HOST}:${layout.natsRoutePort + n}"`);
  // Acknowledged must mean on disk on a quorum.
  const sync = isOlder(version, SYNC_SINCE) ? [] : ["  sync_interval: always"];
  return [
    `server_name: "${NATS_SERVERS[i]}"`,
    `listen: "${HOST}:${layout.natsPort + i}"`,
    `http: "${HOST}:${layout.natsMonitorPort + i}"`,
    "jetstream {",
    `  store_dir: ${JSON.stringify(home)}`,
    ...sync,
    "}",
    "cluster {",
    '  name: "fleetport"',
    `  listen: "${HOST}:${layout.natsRoutePort + i}"`,
    `  routes: [${routes.join(", ")}]`,
    "}",
    "",
  ].join("\n");
}

/** Whether all servers know one JetStream leader that knows all of them: null, else what is missing. */
export async function natsAgree({ natsMonitorPort }: Layout): Promise<string | null> {
  const ports = NATS_SERVERS.map((_, i) => natsMonitorPort + i);
  const metas = await Promise.all(ports.map(metaCluster));
  const leaders = new Set(metas.map((meta) => meta?.leader || null));
  if (leaders.size !== 1 || leaders.has(null)) return "the servers have not elected a JetStream leader";
  const known = metas.flatMap((meta) => meta?.replicas ?? []).filter((peer) => peer.current && !peer.offline);
  return known.length >= COUNT - 1 ? null : "the JetStream leader does not see all servers";
}

/** The part of the monitor's answer that is read here. */
interface MetaCluster {
  readonly leader?: string;
  /** Told by the leader only. */
  readonly replicas?: readonly { readonly current?: boolean; readonly offline?: boolean }[];
}

async function metaCluster(port: number): Promise<MetaCluster | null> {
  try {
    const response = await fetch(`http://${HOST}:${port}/jsz`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    const answer = (await response.json()) as { meta_cluster?: MetaCluster };
    return answer.meta_cluster ?? null;
  } catch {
    return null; // not up yet
  }
}
