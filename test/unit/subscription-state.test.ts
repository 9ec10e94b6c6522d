/** @module The state file of a subscription: ids, what is committed, and the mark of a clean stop. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createState,
  reopenState,
  type StateFile,
} from "../../corrosion/embedded/subscriptions/state-file.ts";

const IDENTITY = { id: "one", hash: "0", sql: "SELECT 1", columns: ["a"] };
const key = (n: number): Uint8Array => Uint8Array.of(1, 9, n);

describe("the state of a subscription", () => {
  let folder: string;
  let state: StateFile;
  const path = (): string => join(folder, "sub", "state.sqlite");
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fleet-state-"));
    state = createState(path(), IDENTITY, 2);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("gives row ids that grow and are never used again, after a clean stop neither", () => {
    assert.equal(state.insert([key(1), key(1)], "[1]"), 1);
    assert.equal(state.insert([key(1), key(2)], "[2]"), 2);
    state.remove(2);
    state.close(true);
    const again = reopenState(path());
    assert.ok(again);
    assert.deepEqual(again.identity, IDENTITY);
    assert.equal(again.insert([key(1), key(2)], "[2]"), 3);
    assert.deepEqual(
      again.having(0, key(1)).map((row) => row.id),
      [1, 3],
    );
    assert.deepEqual(
      again.having(1, key(2)).map((row) => row.id),
      [3],
    );
    again.close(false);
  });

  it("is not taken up again when it was not left clean", () => {
    state.close(false);
    assert.equal(reopenState(path()), null);
  });

  it("is not clean any more once it is in use again", () => {
    state.close(true);
    reopenState(path())?.close(false);
    assert.equal(reopenState(path()), null);
  });

  it("shows changes only up to the one that is asked for, so that none is seen before its commit", () => {
    state.record("insert", 1, "[1]");
    state.begin();
    state.record("insert", 2, "[2]");
    assert.deepEqual(
      state.changes(0, 1, 10).map((change) => change.changeId),
      [1],
    );
    const snapshot = state.snapshot();
    assert.equal(snapshot.lastChange, 1);
    snapshot.close();
    state.rollback();
    assert.equal(state.record("delete", 1, "[1]"), 2);
    state.close(false);
  });

  it("counts changes on when all of them are purged", () => {
    for (let row = 1; row <= 5; row++) state.record("insert", row, "[]");
    state.purge(2);
    assert.deepEqual([state.oldestChange(), state.lastChange()], [4, 5]);
    state.purge(0);
    assert.deepEqual([state.oldestChange(), state.lastChange()], [0, 5]);
    assert.equal(state.record("insert", 6, "[]"), 6);
    state.close(false);
  });
});
