/** @module What holds of the sqlite log engine alone: sharing, the folder's lock, damage, a dying writer, replay speed. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { text } from "node:stream/consumers";
import type { GroupLog, LogEngine } from "../../services/raft/engine/engine.ts";
import { Corrupt, Unavailable, Unknown } from "../../services/raft/engine/errors.ts";
import { openSqliteEngine } from "../../services/raft/engine/sqlite.ts";
import { folderSite, type LogSite } from "../helpers/log-sites.ts";
import { loadShare } from "../helpers/machine-load.ts";
import { until } from "../helpers/until.ts";

const WRITER = new URL("../helpers/log-writer.ts", import.meta.url).pathname;

describe("the sqlite log engine", function () {
  this.timeout(60_000);

  let site: LogSite;
  let dataDir: string;
  let file: string;
  const engines: LogEngine[] = [];

  const open = async (): Promise<LogEngine> => {
    const engine = await openSqliteEngine({ dataDir });
    engines.push(engine);
    return engine;
  };

  beforeEach(async () => {
    site = await folderSite();
    assert.equal(site.options.kind, "sqlite");
    dataDir = site.options.kind === "sqlite" ? await realpath(site.options.dataDir) : "";
    file = join(dataDir, "log.sqlite");
  });

  afterEach(async () => {
    await Promise.all(engines.splice(0).map((engine) => engine.close()));
    await site.stop();
  });

  it("serves several nodes of one process from one file", async () => {
    const nodes = await Promise.all([open(), open(), open()]);
    await Promise.all(nodes.map((node) => node.provision(4)));
    const logs = await Promise.all(nodes.map((node) => node.open(1)));
    const stop = new AbortController();
    const seen = logs.map(() => 0);
    const followers = logs.map(async (log, i) => {
      for await (const { index } of log.follow(1, stop.signal)) seen[i] = index;
    });
    for (let last = 0; last < 6; last++) await logs[last % 3]!.append(Buffer.from("x"), last, `m${last}`);
    await until("every node has seen every entry", () => seen.every((index) => index === 6));
    await nodes[0]!.close();
    assert.equal(await logs[1]!.append(Buffer.from("x"), 6, "m6"), 7);
    await until("the nodes that are left see the next one", () => seen[1] === 7 && seen[2] === 7);
    stop.abort();
    await Promise.all(followers);
  });

  it("refuses a folder that another process has open, and takes it as soon as that one was killed", async () => {
    const holder = spawn(process.execPath, [WRITER, JSON.stringify(site.options), "0"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      await once(holder.stdout, "data");
      await assert.rejects(open(), (error) => {
        assert.ok(error instanceof Unavailable);
        assert.match(error.message, /in use by another process/);
        for (const part of [dataDir, `pid ${holder.pid}`, "FLEET_DATA_DIR"])
          assert.ok(error.message.includes(part));
        assert.ok(!error.message.includes("\n"));
        return true;
      });
      holder.kill("SIGKILL");
      await once(holder, "exit");
      const engine = await open();
      assert.ok((await (await engine.open(0)).bounds()).last > 0);
    } finally {
      holder.kill("SIGKILL");
    }
  });

  it("keeps a second process out of the folder for as long as it is open here", async () => {
    await open();
    const second = spawn(process.execPath, [WRITER, JSON.stringify(site.options), "0"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [printed, [code]] = await Promise.all([text(second.stdout), once(second, "exit")]);
    assert.equal(code, 1);
    assert.match(
      printed,
      new RegExp(`^error the data folder .* is in use by another process \\(pid ${process.pid}\\)`),
    );
  });

  it("names the file when it is not a database", async () => {
    await writeFile(file, Buffer.alloc(8192, "garbage "));
    await assert.rejects(open(), (error) => error instanceof Corrupt && error.message.includes(file));
  });

  it("refuses a database of another program", async () => {
    const other = new DatabaseSync(file);
    other.exec("CREATE TABLE cats (name TEXT)");
    other.close();
    await assert.rejects(
      open(),
      (error) => error instanceof Corrupt && /not a Fleetport log/.test(error.message),
    );
  });

  it("refuses a file of a newer version with a sentence", async () => {
    const engine = await open();
    await engine.close();
    const other = new DatabaseSync(file);
    other.exec("PRAGMA user_version = 99");
    other.close();
    await assert.rejects(
      open(),
      (error) => error instanceof Corrupt && /newer Fleetport.*schema 99/.test(error.message),
    );
  });

  it("does not hand out an entry of which one byte has changed", async () => {
    const engine = await open();
    await engine.provision(1);
    const log = await engine.open(0);
    for (const [i, word] of ["before", "a word that is not anywhere else", "after"].entries())
      await log.append(Buffer.from(word), i, `m${i}`);
    await engine.close();
    const bytes = await readFile(file);
    const at = bytes.indexOf("not anywhere");
    assert.ok(at > 0);
    bytes[at] = bytes[at]! ^ 1;
    await writeFile(file, bytes);

    const damaged = await (await open()).open(0);
    const says = (error: unknown): boolean =>
      error instanceof Corrupt && error.message.includes(file) && /entry 2 of group 0/.test(error.message);
    await assert.rejects(drain(damaged.read(1)), says);
    await assert.rejects(drain(damaged.follow(1, new AbortController().signal)), says);
    assert.equal(await drain(damaged.read(3)), 1);
  });

  it("does not read over an entry that is missing", async () => {
    const engine = await open();
    await engine.provision(1);
    const log = await engine.open(0);
    for (let last = 0; last < 5; last++) await log.append(Buffer.from("x"), last, `m${last}`);
    meddle("DELETE FROM entries WHERE pos = 3");
    await assert.rejects(
      drain(log.read(1)),
      (error) => error instanceof Corrupt && /entry 3/.test(error.message),
    );
  });

  it("reports what was under way as unknown when its writer dies, and refuses what comes after", async () => {
    const engine = await open();
    await engine.provision(2);
    const logs = await Promise.all([engine.open(0), engine.open(1)]);
    const follower = drain(logs[0]!.follow(1, new AbortController().signal));
    const ended = assert.rejects(follower, Unavailable);
    meddle("DROP TABLE entries");
    await assert.rejects(logs[0]!.append(Buffer.from("x"), 0, "lost"), Unknown);
    await assert.rejects(logs[1]!.append(Buffer.from("x"), 0, "late"), Unavailable);
    // Whether the first one was written is still open: a refusal now says nothing of it.
    await assert.rejects(logs[0]!.append(Buffer.from("x"), 0, "lost"), Unknown);
    await assert.rejects(engine.probe(), Unavailable);
    assert.equal(engine.status().connected, false);
    await ended;
  });

  it("finishes a truncation that a crash has interrupted", async () => {
    const engine = await open();
    await engine.provision(1);
    const log = await engine.open(0);
    for (let last = 0; last < 50; last++) await log.append(Buffer.from("x"), last, `m${last}`);
    await engine.close();
    // The first step moves `first`; the rows go in later steps.
    meddle("UPDATE groups SET first = 41 WHERE grp = 0");
    const again = await (await open()).open(0);
    assert.deepEqual(await again.bounds(), { first: 41, last: 50 });
    await until("the rows are gone", () => count() === 10);
    assert.equal(await drain(again.read(41)), 10);
  });

  it("truncates a long log in steps, while appends go on", async () => {
    const engine = await open();
    await engine.provision(2);
    const [long, other] = await Promise.all([engine.open(0), engine.open(1)]);
    await pipeline(long, 30_000);
    const truncated = long.truncate(29_001);
    for (let last = 0; last < 5; last++) await other.append(Buffer.from("x"), last, `m${last}`);
    await truncated;
    assert.deepEqual(await long.bounds(), { first: 29_001, last: 30_000 });
    assert.equal(count(), 1005);
    assert.equal((await long.health()).bytes, 1000 * SMALL.length);
  });

  it("replays a million small entries within ten seconds", async () => {
    const engine = await open();
    await engine.provision(1);
    await pipeline(await engine.open(0), MILLION);
    await engine.close();
    const log = await (await open()).open(0);
    const started = performance.now();
    assert.equal(await drain(log.read(1)), MILLION);
    const ms = performance.now() - started;
    assert.ok(ms < 10_000 * loadShare(), `it took ${ms} ms`);
  });

  /** Changes the file behind the engine's back. */
  const meddle = (sql: string): void => {
    const other = new DatabaseSync(file);
    other.exec(sql);
    other.close();
  };

  const count = (): number => {
    const other = new DatabaseSync(file, { readOnly: true });
    const { n } = other.prepare("SELECT count(*) AS n FROM entries").get() ?? {};
    other.close();
    return Number(n);
  };
});

const MILLION = 1_000_000;
const SMALL = Buffer.from("a small entry");
const DEPTH = 20_000;

/** Appends without waiting for each answer; the writer takes them in the order of the calls. */
async function pipeline(log: GroupLog, entries: number): Promise<void> {
  let open: Promise<number>[] = [];
  for (let last = 0; last < entries; last++) {
    open.push(log.append(SMALL, last, `m${last}`));
    if (open.length < DEPTH) continue;
    await Promise.all(open);
    open = [];
  }
  await Promise.all(open);
}

/** How many entries there are; their indexes must be contiguous. */
async function drain(entries: AsyncIterable<{ index: number }>): Promise<number> {
  let count = 0;
  let first = 0;
  for await (const { index } of entries) {
    if (count === 0) first = index;
    assert.equal(index, first + count);
    count++;
  }
  return count;
}
