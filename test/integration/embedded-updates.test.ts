/** @module Updates of the embedded agent: which keys of a table changed, batched and told once. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packColumns } from "../../corrosion/embedded/store/pack.ts";
import type { Listener, Sink } from "../../corrosion/embedded/subscriptions/contract.ts";
import { openUpdates } from "../../corrosion/embedded/subscriptions/updates.ts";
import { World } from "../helpers/subscribed-store.ts";
import { until } from "../helpers/until.ts";

const SCHEMA = `
  CREATE TABLE tests (id INTEGER NOT NULL PRIMARY KEY, text TEXT NOT NULL DEFAULT "");
  CREATE TABLE notes (region TEXT NOT NULL, id BLOB NOT NULL, body TEXT, PRIMARY KEY (region, id));
`;
const QUIET = { info() {}, warn() {}, error() {} };

class Lines implements Sink {
  readonly lines: string[] = [];
  ended = false;
  #blocked = false;
  constructor(blocked = false) {
    this.#blocked = blocked;
  }
  write(text: string): Promise<void> {
    this.lines.push(...text.slice(0, -1).split("\n"));
    return this.#blocked ? new Promise(() => {}) : Promise.resolve();
  }
  end(): void {
    this.ended = true;
  }
}

describe("updates of the embedded development agent", () => {
  let folder: string;
  let world: World;
  let opened: World | null = null;
  async function open(batch: number): Promise<void> {
    folder = await mkdtemp(join(tmpdir(), "fleet-updates-"));
    world = new World({ folder, schema: SCHEMA, times: { batch } });
    opened = world;
  }
  afterEach(async () => {
    await opened?.close();
    if (opened !== null) await rm(folder, { recursive: true, force: true });
    opened = null;
  });
  const follow = (table: string): { lines: Lines; listener: Listener } => {
    const lines = new Lines();
    return { lines, listener: world.updates.follow(table).follow(lines) };
  };

  it("tell inserts and updates as `update`, deletes as `delete`, with the key's values", async () => {
    await open(2);
    const { lines } = follow("notes");
    const other = follow("tests");
    world.commit("INSERT INTO notes VALUES ('eu', x'00ff', 'a')");
    await until("the insert", () => lines.lines.length === 1);
    world.commit("UPDATE notes SET body = 'b'");
    await until("the update", () => lines.lines.length === 2);
    world.commit("DELETE FROM notes");
    await until("the delete", () => lines.lines.length === 3);
    assert.deepEqual(lines.lines, [
      '{"notify":["update",["eu",[0,255]]]}',
      '{"notify":["update",["eu",[0,255]]]}',
      '{"notify":["delete",["eu",[0,255]]]}',
    ]);
    assert.deepEqual(other.lines.lines, []);
  });

  it("tell what became of a key in a batch once, and nothing from before the stream", async () => {
    await open(100);
    world.commit("INSERT INTO tests VALUES (7, 'early')");
    const { lines } = follow("tests");
    world.commit("INSERT INTO tests VALUES (1, 'a'), (2, 'b')");
    world.commit("UPDATE tests SET text = 'c' WHERE id = 2");
    world.commit("DELETE FROM tests WHERE id = 1");
    await until("a batch", () => lines.lines.length > 0);
    assert.deepEqual(lines.lines.sort(), ['{"notify":["delete",[1]]}', '{"notify":["update",[2]]}']);
  });

  it("do not wait for the batch's time when 1,000 keys wait", async () => {
    await open(3_600_000);
    const { lines } = follow("tests");
    world.commit(...Array.from({ length: 1_000 }, (_, id) => `INSERT INTO tests (id) VALUES (${id})`));
    await until("a batch", () => lines.lines.length === 1_000);
  });

  it("drop an event with an older causal length than one already told", async () => {
    const updates = openUpdates({
      tables: () => [{ name: "tests", keys: ["id"], columns: ["id"] }],
      log: QUIET,
      times: { batch: 1 },
    });
    const lines = new Lines();
    updates.follow("tests").follow(lines);
    const touch = (id: bigint, cl: bigint): void =>
      updates.committed({ touched: [{ table: "tests", pk: packColumns([id]), cl }] });
    touch(1n, 2n);
    await until("a batch", () => lines.lines.length === 1);
    touch(1n, 1n);
    touch(2n, 4n);
    touch(2n, 3n);
    await until("the next batch", () => lines.lines.length === 2);
    assert.deepEqual(lines.lines, ['{"notify":["delete",[1]]}', '{"notify":["delete",[2]]}']);
    updates.close();
  });

  it("are refused for a table that the schema does not have", async () => {
    await open(2);
    for (const table of ["x", "crsql_changes", "TESTS2"]) {
      assert.throws(() => world.updates.follow(table), {
        status: 400,
        message: `table not found in schema: ${table}`,
      });
    }
  });

  it("share an id a table, and stop for a reader that is gone", async () => {
    await open(2);
    const first = follow("tests");
    assert.match(world.updates.follow("tests").id, /^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    assert.equal(world.updates.follow("tests").id, world.updates.follow("tests").id);
    const second = follow("tests");
    first.listener.close();
    world.commit("INSERT INTO tests VALUES (1, 'a')");
    await until("told", () => second.lines.lines.length === 1);
    assert.deepEqual([first.lines.lines, first.lines.ended], [[], false]);
  });

  it("end a stream that is more than 10,240 events behind, and all of them when the agent stops", async () => {
    await open(1);
    const slow = new Lines(true);
    world.updates.follow("tests").follow(slow);
    const { lines } = follow("tests");
    world.commit("INSERT INTO tests VALUES (-1, '')");
    await until("the slow one writes", () => slow.lines.length === 1);
    world.commit(
      "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 10500) INSERT INTO tests SELECT i, 'x' FROM c",
    );
    await until("the slow one ends", () => slow.ended);
    await until("the other has all", () => lines.lines.length === 10_501);
    assert.equal(slow.lines.length, 1);
    world.updates.close();
    assert.ok(lines.ended);
  });
});
