/** @module The writing process of an embedded agent when it is replaced: what had not begun goes to the next one. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { Writer } from "../../corrosion/embedded/processes/writer.ts";
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
    await writer.applySchema(["CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY);"]);
  });
  after(async () => {
    await writer.stop(1000);
    rmSync(folder, { recursive: true, force: true });
  });

  const insert = (id: number, limitMs: number | null) =>
    writer.transact([{ sql: `INSERT INTO t VALUES (${id})`, params: { kind: "none" } }], limitMs);

  it("that is ended for a transaction which had just been answered takes nothing that waited with it", async () => {
    const timed = insert(1, 300);
    const waiting = [2, 3, 4, 5, 6].map((id) => insert(id, null));
    // It is sent in this turn of the event loop; its answer is not read before the transaction's time is over.
    await setImmediate();
    for (const began = performance.now(); performance.now() - began < 500; );
    const { version } = await timed;
    const versions = (await Promise.all(waiting)).map((written) => written.version);
    assert.deepEqual([version, ...versions], [1n, 2n, 3n, 4n, 5n, 6n]);
    await until("it was replaced", () => warnings.some((text) => text.includes("a new one starts")));
    assert.equal(lost, 0);
  });
});
