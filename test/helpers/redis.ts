/** @module A real Redis for tests, on loopback, that can be killed, paused and started again on its port. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { ensureRedisServer } from "../../bin/redis-server.ts";
import { freePort } from "./program.ts";
import { until } from "./until.ts";

export interface TestRedis {
  readonly url: string;
  /** Every key that it holds. */
  keys(): Promise<string[]>;
  /** Ends it as a power cut would (SIGKILL). */
  kill(): Promise<void>;
  /** Starts it again, on its port and empty, and waits until it answers. */
  restart(): Promise<void>;
  /** Stops its clock: it keeps its connections and answers nothing (SIGSTOP). */
  pause(): void;
  resume(): void;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

export async function startRedis(): Promise<TestRedis> {
  const program = await ensureRedisServer();
  const folder = await mkdtemp(join(tmpdir(), "fleetport-redis-"));
  const port = await freePort(1);
  const url = `redis://127.0.0.1:${port}`;
  let server: { child: ChildProcess; guard: ChildProcess } | null = null;

  async function start(): Promise<void> {
    const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""];
    const child = spawn(program, args, { stdio: "ignore" });
    // Blocks on a pipe that only this process holds: however this process ends, the server does not outlive it.
    const guard = spawn("sh", ["-c", 'read _; kill -9 "$0"', String(child.pid)], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    guard.stdin.on("error", () => {});
    child.once("exit", () => guard.kill("SIGKILL"));
    server = { child, guard };
    await until("Redis answers", () => ask((client) => client.ping()));
  }

  async function ask<T>(question: (client: Redis) => Promise<T>): Promise<T> {
    const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, commandTimeout: 1000 });
    client.on("error", () => undefined); // told by what is thrown
    try {
      await client.connect();
      return await question(client);
    } finally {
      client.disconnect();
    }
  }

  async function kill(): Promise<void> {
    if (!server) return;
    const { child, guard } = server;
    server = null;
    const gone = Promise.all([once(child, "exit"), once(guard, "exit")]);
    child.kill("SIGKILL");
    await gone;
  }

  await start();
  return {
    url,
    keys: () => ask((client) => client.keys("*")),
    kill,
    restart: start,
    pause: () => void server?.child.kill("SIGSTOP"),
    resume: () => void server?.child.kill("SIGCONT"),
    stop: async () => {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
