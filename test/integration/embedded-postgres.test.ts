/** @module The embedded Postgres: first and later starts, stops, crashes, what is left behind, what stands in the way. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../bin/postgres.ts";
import { readPidFile } from "../../bin/postgres-leftover.ts";
import { findPrograms, postgresEnvironment, runAs } from "../../bin/postgres-program.ts";
import { loadShare } from "../helpers/machine-load.ts";
import { execute } from "../helpers/postgres.ts";
import { until } from "../helpers/until.ts";
import { isAlive } from "../runner/processes.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/postgres.ts", import.meta.url));

describe("The embedded Postgres", () => {
  let dataDir: string;
  let server: EmbeddedPostgres | null;
  const others: ChildProcess[] = [];

  const data = () => join(dataDir, "postgres", "data");
  const start = async () => {
    server = await startEmbeddedPostgres({ dataDir });
    return server;
  };
  const stop = async () => {
    await server?.stop();
    server = null;
  };
  const postmaster = async () => (await readPidFile(data()))?.pid ?? null;

  /** Another process that starts Postgres on the same folder and then waits. */
  async function startElsewhere(): Promise<ChildProcess> {
    const script = `const { startEmbeddedPostgres } = await import(${JSON.stringify(PROGRAM)});
      await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)} });
      process.send("started"); setInterval(() => undefined, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    others.push(child);
    await once(child, "message");
    return child;
  }

  /** Its Postgres data serve most tests, for making them takes a second. */
  let common: string;

  const freshFolder = async () => {
    dataDir = await realpath(await mkdtemp(join(tmpdir(), "fleetport-epg-")));
  };

  before(async () => {
    await freshFolder();
    common = dataDir;
    await (await startEmbeddedPostgres({ dataDir })).stop();
  });

  after(() => rm(common, { recursive: true, force: true }));

  beforeEach(() => {
    dataDir = common;
    server = null;
  });

  afterEach(async () => {
    await stop();
    for (const child of others.splice(0)) child.kill("SIGKILL");
    const pid = await postmaster();
    if (pid !== null) await until("Postgres has ended", () => !isAlive(pid));
    if (dataDir !== common) await rm(dataDir, { recursive: true, force: true });
  });

  it("makes its data folder at the first start and serves the same data at the next one", async () => {
    await freshFolder();
    const { url } = await start();
    await execute(url, "create table kept as select 42 as answer");
    await stop();
    const began = performance.now();
    const again = await start();
    assert.ok(performance.now() - began < 2000 * loadShare(), "the second start takes less than 2 s");
    assert.deepEqual(await execute(again.url, "select answer from kept"), [{ answer: 42 }]);
  });

  it("keeps what it acknowledged on disk", async () => {
    const { url } = await start();
    const [settings] = await execute<{ fsync: string; commit: string; pages: string }>(
      url,
      "select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit, current_setting('full_page_writes') as pages",
    );
    assert.deepEqual(settings, { fsync: "on", commit: "on", pages: "on" });
  });

  it("can be reached only through a socket that other users cannot open", async () => {
    const { url } = await start();
    const [settings] = await execute<{ addresses: string; sockets: string }>(
      url,
      "select current_setting('listen_addresses') as addresses, current_setting('unix_socket_directories') as sockets",
    );
    assert.equal(settings?.addresses, "");
    assert.equal((await stat(settings.sockets)).mode & 0o777, 0o700);
  });

  for (const [what, mode] of [
    ["may", 0o755],
    ["may not", 0o700],
  ] as const) {
    it(`runs as an ordinary user, also when root starts it in a folder that others ${what} enter`, async () => {
      await chmod(dataDir, mode);
      const { url } = await start();
      assert.deepEqual(await execute(url, "select 1 as one"), [{ one: 1 }]);
      assert.notEqual((await stat(data())).uid, 0); // Postgres insists on owning its data
    });
  }

  it("stops within 2 s while clients are connected, and leaves no process", async () => {
    const { url } = await start();
    const client = new pg.Client({ connectionString: url });
    client.on("error", () => undefined);
    await client.connect();
    await client.query("begin");
    const pid = await postmaster();
    const began = performance.now();
    await stop();
    assert.ok(performance.now() - began < 2000 * loadShare(), "stopping takes less than 2 s");
    assert.ok(pid !== null && !isAlive(pid));
    await client.end();
  });

  it("stops within 3 s when the server does not answer any more", async () => {
    await start();
    const pid = (await postmaster())!;
    process.kill(pid, "SIGSTOP");
    const began = performance.now();
    await stop();
    assert.ok(performance.now() - began < 3000 * loadShare());
    assert.ok(!isAlive(pid));
  });

  it("starts the server again when it dies, at the same URL", async () => {
    const { url } = await start();
    const pid = (await postmaster())!;
    process.kill(pid, "SIGKILL");
    await until("it serves again", async () => {
      await execute(url, "select 1");
      return (await postmaster()) !== pid;
    });
  });

  it("is not started again while a connection of the server that died still works on the data", async () => {
    const said: string[] = [];
    const note = (message: string) => said.push(message);
    server = await startEmbeddedPostgres({ dataDir, logger: { info: note, warn: note } });
    const client = new pg.Client({ connectionString: server.url });
    client.on("error", () => undefined);
    await client.connect();
    const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
    const backend = rows[0]!.pid;
    process.kill(backend, "SIGSTOP");
    const pid = (await postmaster())!;
    process.kill(pid, "SIGKILL");
    await until("a start was refused", () => said.includes("postgres could not be started again"));
    process.kill(backend, "SIGCONT");
    await until("it serves again", () => execute(server!.url, "select 1"));
    assert.ok(!isAlive(backend));
    await client.end();
  });

  it("ends when the process that started it is killed", async () => {
    const child = await startElsewhere();
    const pid = (await postmaster())!;
    child.kill("SIGKILL");
    await until("Postgres has ended", () => !isAlive(pid), 10_000);
    await start();
  });

  it("ends a server that an earlier process of ours left running, then starts", async () => {
    await start();
    await execute(server!.url, "create table left_behind as select 1 as one");
    await stop();
    const left = await runServer(["-c", "cluster_name=fleetport"]);
    await start();
    assert.ok(!isAlive(left));
    assert.notEqual(await postmaster(), left);
    assert.deepEqual(await execute(server!.url, "select one from left_behind"), [{ one: 1 }]);
  });

  it("refuses to start, with one sentence, while a server that it did not start uses the folder", async () => {
    const foreign = await runServer([]);
    await assert.rejects(start(), {
      message: `Postgres cannot start: process ${foreign}, a Postgres that Fleetport did not start, uses ${data()}: stop it first.`,
    });
    assert.ok(isAlive(foreign), "the foreign server was left alone");
    process.kill(foreign, "SIGINT");
    await until("the foreign server has ended", () => !isAlive(foreign));
  });

  it("is not disturbed by a pid file whose number belongs to another program", async () => {
    await writeFile(join(data(), "postmaster.pid"), `${process.pid}\n${data()}\n1\n5432\n\n\n\nready\n`);
    await start();
    assert.deepEqual(await execute(server!.url, "select 1 as one"), [{ one: 1 }]);
  });

  it("refuses a folder that another process uses, and names that process", async () => {
    const child = await startElsewhere();
    await assert.rejects(start(), new RegExp(`in use by another process \\(pid ${child.pid}\\)`));
    assert.ok(isAlive((await postmaster())!));
  });

  it("says what Postgres says when the data cannot be used, and leaves the data as it is", async () => {
    const version = await readFile(join(data(), "PG_VERSION"), "utf8");
    await writeFile(join(data(), "PG_VERSION"), "9.6\n");
    await assert.rejects(
      start(),
      /^Error: Postgres cannot start: .*database files are incompatible.*postgres\.log\)$/,
    );
    assert.equal(await readFile(join(data(), "PG_VERSION"), "utf8"), "9.6\n");
    await writeFile(join(data(), "PG_VERSION"), version);
    await start();
  });

  it("starts over when its first start was cut off while the data folder was being made", async () => {
    await freshFolder();
    await mkdir(join(dataDir, "postgres", "data.new", "global"), { recursive: true });
    await writeFile(join(dataDir, "postgres", "data.new", "PG_VERSION"), "18\n");
    await start();
    assert.deepEqual(await execute(server!.url, "select 1 as one"), [{ one: 1 }]);
  });

  it("works below a folder whose path is too long for a socket", async () => {
    await freshFolder();
    const outer = dataDir;
    dataDir = join(outer, "x".repeat(120));
    await start();
    assert.deepEqual(await execute(server!.url, "select 1 as one"), [{ one: 1 }]);
    await stop();
    dataDir = outer;
  });

  /** A server on the folder that was not started by this program. */
  async function runServer(args: readonly string[]): Promise<number> {
    const programs = await findPrograms();
    const as = await runAs(programs, join(dataDir, "postgres"), data());
    const child = as.spawn(
      programs.postgres,
      ["-D", data(), "-c", "listen_addresses=", "-p", "5433", "-k", data(), ...args],
      { stdio: "ignore", cwd: "/", env: postgresEnvironment() },
    );
    others.push(child);
    return until("the server is ready", async () => {
      const file = await readPidFile(data());
      return file?.ready && file.pid === child.pid ? file.pid : null;
    });
  }
});
