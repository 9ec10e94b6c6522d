/** @module The nodes of a cluster: processes of `fleetport node`. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { launch } from "./background.ts";
import { type Backing, type Layout, localUrl, nodeEnvironment } from "./layout.ts";
import type { Part } from "./part.ts";

const PROGRAM = fileURLToPath(new URL("../fleetport.ts", import.meta.url));
const TIMEOUT_MS = 2000;

/** `backing` is asked when a node starts: the servers run by then. */
export function nodeParts(layout: Layout, backing: () => Backing): Part[] {
  const { host, port } = layout.config;
  return layout.nodes.map((name, i) => {
    const address = localUrl(host, port + i + 1);
    return {
      name,
      address,
      ports: [{ host, port: port + i + 1, variable: "PORT" }],
      launch: () =>
        launch(layout.pids, {
          part: { name, address, health: `${address}/health/ready`, log: join(layout.logs, `${name}.log`) },
          command: process.execPath,
          args: ["--disable-warning=ExperimentalWarning", PROGRAM, "node"],
          env: nodeEnvironment(layout, i, backing()),
        }),
    };
  });
}

/** How many groups have no leader: null when none, else in words. Metrics are asked, for they have no rate limit. */
export async function groupsWithoutLeader({ config, nodes }: Layout): Promise<string | null> {
  const pages = await Promise.all(
    nodes.map(async (_, i) => {
      const url = `${localUrl(config.host, config.port + i + 1)}/metrics`;
      return (await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) })).text();
    }),
  ).catch(() => null);
  if (!pages) return "a node does not answer";
  const led = new Set(
    pages.flatMap((page) => [...page.matchAll(/^fleet_group_role\{group="(\d+)"\} 1$/gm)].map(([, g]) => g)),
  );
  const missing = config.groups - led.size;
  return missing === 0 ? null : `${missing} groups have no leader`;
}
