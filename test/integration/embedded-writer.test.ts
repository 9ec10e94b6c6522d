/** @module The writing process of an embedded agent when it is replaced: what had not begun goes to the next one. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { Writer } from "../../corrosion/embedded/processes/writer.ts";
import { WriterLost, WriterRequests } from "../../corrosion/embedded/processes/writer-requests.ts";
import { until } from "../helpers/until.ts";

describe("the writing process of an embedded agent", () => {
  let folder = "";
  let writer: Writer;
  const warnings: string[] = [];
  let lost = 0;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "fpw-"));
    const log = { info() {}, warn: (message: string) => warnings.push(message), error: assert.fail };
    writer = await Writer.start({
      path: join(folder, "c.db"),
      log,
      onCommitted() {},
      onCommitsLost() {
        lost += 1;
      },
    });
    await writer.applySchema(["CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, big TEXT);"]);
  });
  after(async () => {
    await writer.stop(1000);
    rmSync(folder, { recursive: true, force: true });
  });

  const run = (sql: string, limitMs: number | null) =>
    writer.transact([{ sql, params: { kind: "none" } }], limitMs);
  const insert = (id: number, limitMs: number | null) => run(`INSERT INTO t (id) VALUES (${id})`, limitMs);

  /** Whatever the process answers is not read before a time limit of 300 ms is over. */
  async function readLate(): Promise<void> {
    // What was asked for is sent in this turn of the event loop.
    await setImmediate();
    for (const began = performance.now(); performance.now() - began < 500; );
  }

  it("that is ended for a transaction which had just been answered takes nothing that waited with it", async () => {
    const timed = insert(1, 300);
    const waiting = [2, 3, 4, 5, 6].map((id) => insert(id, null));
    await readLate();
    const { version } = await timed;
    const versions = (await Promise.all(waiting)).map((written) => written.version);
    assert.deepEqual([version, ...versions], [1n, 2n, 3n, 4n, 5n, 6n]);
    await until("it was replaced", () => warnings.some((text) => text.includes("a new one starts")));
    assert.equal(lost, 0);
  });

  it("says of a transaction whose outcome was lost with it that nobody knows it, and of another that it was interrupted", async () => {
    const before = lost;
    // More than a pipe holds: most of what it tells of this commit is lost when the process is ended.
    const kept = run("INSERT INTO t VALUES (10, hex(zeroblob(4000000)))", 300);
    const unknown = assert.rejects(kept, (error) => error instanceof WriterLost);
    await readLate();
    await unknown;
    await assert.rejects(insert(10, null), /UNIQUE constraint failed/);
    assert.equal(lost, before + 1);
    const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
    await assert.rejects(run(`INSERT INTO t (id) ${endless}`, 300), { message: "interrupted" });
    await insert(11, null);
    assert.equal(lost, before + 1);
  });
});

describe("the requests of the writing process", () => {
  it("take an interrupted transaction whose commit was told for one whose outcome is not known", async () => {
    for (const told of [true, false]) {
      const overdue = Promise.withResolvers<void>();
      const requests = new WriterRequests(() => overdue.resolve());
      const answer = requests.add("transact", [[]], 1);
      requests.next();
      if (told) requests.committed();
      await overdue.promise;
      requests.lose();
      requests.decide(false);
      await assert.rejects(answer, told ? { name: "WriterLost" } : { message: "interrupted" });
    }
  });

  it("fail an interrupted transaction when no other process will start", async () => {
    const overdue = Promise.withResolvers<void>();
    const requests = new WriterRequests(() => overdue.resolve());
    const answer = requests.add("transact", [[]], 1);
    requests.next();
    await overdue.promise;
    requests.lose();
    requests.stop();
    await assert.rejects(answer, { name: "WriterLost" });
  });
});
