/** @module The Postgres of a cluster: the embedded one, started so that it outlives the command. */
import { mkdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { PostgresServer } from "../postgres-server.ts";
import type { Layout } from "./layout.ts";
import type { Part } from "./part.ts";
import { note, type Running } from "./record.ts";

const SILENT = { info: () => undefined, warn: () => undefined };

/** It listens on a Unix socket only, so it wants no port. */
export function postgresPart(layout: Layout): Part {
  const log = join(layout.logs, "postgres.log");
  return {
    name: "postgres",
    address: null,
    ports: [],
    launch: async () => {
      const home = join(layout.folder, "postgres");
      await Promise.all([mkdir(home, { recursive: true }), mkdir(layout.logs, { recursive: true })]);
      const folder = await realpath(home);
      const server = await PostgresServer.prepare({ home: folder, logFile: log, logger: SILENT });
      const { url, sockets } = server;
      const part = {
        name: "postgres",
        address: url,
        health: url,
        log,
        // Elsewhere when the data folder's path is too long for a socket.
        ...(!sockets.startsWith(folder) && { scratch: sockets }),
      } as const;
      const started: Running[] = [];
      await server.start(({ child }) => {
        child.unref();
        started.push(note(layout.pids, child.pid, part));
      });
      return started.at(-1)!;
    },
  };
}
