/** @module Reading processes of an embedded agent: few while they do, more when queries would wait. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { QueryFailed, QueryRefused } from "../../corrosion/embedded/processes/job.ts";
import { ReaderPool } from "../../corrosion/embedded/processes/reader-pool.ts";
import { Readers } from "../../corrosion/embedded/processes/readers.ts";
import { openStore } from "../../corrosion/embedded/store/store.ts";
import { loadShare } from "../helpers/machine-load.ts";
import { until } from "../helpers/until.ts";

const ENDLESS =
  "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c WHERE x < 0";
const MANY_ROWS =
  "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000) SELECT x FROM c";

describe("the reading processes of an embedded agent", () => {
  let folder = "";
  let path = "";
  let pool: ReaderPool;
  let queries: Readers;
  const endless: AbortController[] = [];

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "fpr-"));
    path = join(folder, "c.db");
    openStore({ path }).close();
  });
  beforeEach(async () => {
    pool = new ReaderPool(path);
    pool.warm();
    queries = new Readers(pool, 4);
    await queries.all("SELECT 1", 10_000);
  });
  afterEach(async () => {
    for (const stop of endless.splice(0)) stop.abort();
    await pool.stop();
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Begins a query that never ends by itself. */
  function runEndless(kind: Readers): Promise<unknown> {
    const stop = new AbortController();
    endless.push(stop);
    const drained = async () => {
      const statement = { sql: ENDLESS, params: { kind: "none" } } as const;
      for await (const _ of await kind.run("values", statement, { limitMs: null, signal: stop.signal })) {
      }
    };
    return drained().catch((error: unknown) => error);
  }

  it("are one for many short queries that arrive together", async () => {
    await Promise.all(Array.from({ length: 8 }, () => queries.all("SELECT 1", 10_000)));
    assert.equal(pool.size, 1);
  });

  it("become two when a query waits behind a long one, and it waits no longer than for that", async () => {
    void runEndless(queries);
    const began = performance.now();
    assert.deepEqual(await queries.all("SELECT 2", 10_000), [[2n]]);
    const ms = performance.now() - began;
    assert.ok(ms >= 140 && ms < 3000, `${ms} ms`);
    assert.equal(pool.size, 2);
    const again = performance.now();
    await Promise.all(Array.from({ length: 8 }, () => queries.all("SELECT 3", 10_000)));
    assert.ok(performance.now() - again < 1000 * loadShare());
    assert.equal(pool.size, 2);
  });

  it("are never given to another query when they are ended for a cancelled one", async () => {
    const rows = await queries.run(
      "values",
      { sql: MANY_ROWS, params: { kind: "none" } },
      { limitMs: null, signal: new AbortController().signal },
    );
    await rows.next();
    await rows.return();
    // This process does not read that the job is over until it is late for that.
    for (const began = performance.now(); performance.now() - began < 300; );
    assert.deepEqual(await queries.all("SELECT 42", 10_000), [[42n]]);
  });

  it("are free again when a query's time is over, though nobody takes its rows", async () => {
    const one = new Readers(pool, 1);
    const rows = await one.run(
      "values",
      { sql: MANY_ROWS, params: { kind: "none" } },
      { limitMs: 300, signal: new AbortController().signal },
    );
    await rows.next();
    assert.deepEqual(await one.all("SELECT 43", 10_000), [[43n]]);
    await rows.return();
  });

  it("leave queries of another kind a place, however many long ones there are of one", async () => {
    const own = new Readers(pool, 1);
    const long = Array.from({ length: 6 }, () => runEndless(queries));
    await until("four of them run", () => pool.size === 4, 20_000);
    assert.deepEqual(await own.all("SELECT 4", 10_000), [[4n]]);
    await assert.rejects(queries.all("SELECT 5", 500), new QueryRefused(500, "interrupted"));
    assert.equal(pool.size, 5);
    for (const stop of endless.splice(0)) stop.abort();
    for (const outcome of await Promise.all(long)) assert.equal((outcome as Error).message, "interrupted");
    assert.deepEqual(await queries.all("SELECT 6", 10_000), [[6n]]);
  });

  it("end when they are not needed any more, but for one", async function () {
    this.timeout(40_000);
    const statement = { sql: MANY_ROWS, params: { kind: "none" } } as const;
    const { signal } = new AbortController();
    // Its reader waits for whoever does not take what it sends.
    const slow = await queries.run("values", statement, { limitMs: null, signal });
    await slow.next();
    await queries.all("SELECT 7", 10_000);
    assert.equal(pool.size, 2);
    await slow.return();
    const began = performance.now();
    await until("one is left", () => pool.size === 1, 30_000);
    assert.ok(performance.now() - began > 5000);
    // That nothing happens can only be seen in time.
    await delay(1000);
    assert.equal(pool.size, 1);
    assert.deepEqual(await queries.all("SELECT 8", 10_000), [[8n]]);
  });

  it("that cannot be started fail the queries that wait for them, and do not start for ever", async () => {
    const nowhere = new ReaderPool(join(folder, "none", "c.db"));
    try {
      const vain = new Readers(nowhere, 2);
      const outcomes = await Promise.allSettled([vain.all("SELECT 1", 10_000), vain.all("SELECT 1", 10_000)]);
      for (const outcome of outcomes) {
        assert.equal(outcome.status, "rejected");
        assert.match(String(outcome.reason), /no database/);
      }
      assert.equal(nowhere.size, 0);
    } finally {
      await nowhere.stop();
    }
  });

  it("that stop fail what runs and what waits", async () => {
    const runs = runEndless(queries);
    const waits = queries.all("SELECT 9", 10_000).catch((error: unknown) => error);
    // Stopping must meet them begun, or waiting: both are right, and both must fail.
    await delay(20);
    await pool.stop();
    assert.ok((await runs) instanceof QueryFailed);
    assert.ok((await waits) instanceof QueryFailed);
    await assert.rejects(queries.all("SELECT 10", 10_000), QueryFailed);
  });
});
