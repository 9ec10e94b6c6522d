/** @module The Redis of a cluster, where this machine has the program: what all gateways share. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { launch } from "./background.ts";
import type { Layout } from "./layout.ts";
import type { Part } from "./part.ts";

const HOST = "127.0.0.1";

export function redisUrl({ redisPort }: Layout): string {
  return `redis://${HOST}:${redisPort}`;
}

/** `command` is the path of a redis-server. */
export function redisPart(layout: Layout, command: string): Part {
  const address = redisUrl(layout);
  return {
    name: "redis",
    address,
    ports: [{ host: HOST, port: layout.redisPort, variable: "FLEET_CLUSTER_REDIS_PORT" }],
    launch: async () => {
      const home = join(layout.folder, "redis");
      const file = join(home, "redis.conf");
      await mkdir(home, { recursive: true });
      await writeFile(
        file,
        [
          `bind ${HOST}`,
          `port ${layout.redisPort}`,
          `dir ${JSON.stringify(home)}`,
          "daemonize no",
          "appendonly yes",
          'save ""',
          "",
        ].join("\n"),
      );
      const part = { name: "redis", address, health: address, log: join(layout.logs, "redis.log") } as const;
      return launch(layout.pids, { part, command, args: [file] });
    },
  };
}
