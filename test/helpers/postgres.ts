/** @module A real Postgres for tests: its data in a temporary folder, a fresh database whenever one is asked for. */
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startEmbeddedPostgres } from "../../bin/postgres.ts";
import { readPidFile } from "../../bin/postgres-leftover.ts";
import { until } from "./until.ts";

export interface TestPostgres {
  /** Makes an empty database and returns its URL. */
  database(): Promise<string>;
  /** Stops the clocks of the server and all its connections: they are open and answer nothing (SIGSTOP). */
  pause(): Promise<void>;
  resume(): void;
  /** Ends the server as a crash would (SIGKILL) and waits until it serves again, at the same URLs. */
  crash(): Promise<void>;
  /** Ends the server and removes its data. */
  stop(): Promise<void>;
}

export async function startPostgres(): Promise<TestPostgres> {
  const dataDir = await mkdtemp(join(tmpdir(), "fleetport-pg-"));
  const server = await startEmbeddedPostgres({ dataDir });
  let databases = 0;
  let paused: number[] = [];
  const pid = async (): Promise<number> => {
    const file = await readPidFile(join(dataDir, "postgres", "data"));
    if (!file) throw new Error("Postgres does not run");
    return file.pid;
  };
  const resume = () => {
    for (const process_ of paused) signal(process_, "SIGCONT");
    paused = [];
  };
  return {
    database: async () => {
      databases += 1;
      const name = `test_${databases}`;
      await execute(server.url, `create database ${name}`);
      return server.url.replace("/postgres?", `/${name}?`);
    },
    pause: async () => {
      const postmaster = await pid();
      paused = [postmaster, ...childrenOf(postmaster)];
      for (const process_ of paused) signal(process_, "SIGSTOP");
    },
    resume,
    crash: async () => {
      const before = await pid();
      signal(before, "SIGKILL");
      await until("Postgres serves again", async () => {
        if ((await pid()) === before) return false;
        await execute(server.url, "select 1");
        return true;
      });
    },
    stop: async () => {
      resume();
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Runs one statement on a connection of its own. */
export async function execute<Row extends pg.QueryResultRow>(
  url: string,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined); // a test may crash the server
  await client.connect();
  try {
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end();
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // ESRCH: it has just ended
  }
}

/** Where there is no /proc, nobody: then only the postmaster is paused. */
function childrenOf(parent: number): number[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === parent;
      } catch {
        return false; // it has just ended
      }
    });
}
