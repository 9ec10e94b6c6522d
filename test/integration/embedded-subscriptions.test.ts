/** @module Subscriptions of the embedded agent on a database file: joins, resumes, restarts and failures. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StartAt, SubscriptionTimes } from "../../corrosion/embedded/subscriptions/contract.ts";
import { World } from "../helpers/subscribed-store.ts";
import { SubscriptionClient } from "../helpers/subscription-client.ts";
import { until } from "../helpers/until.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS tests (id INTEGER NOT NULL PRIMARY KEY, text TEXT NOT NULL DEFAULT "", n INTEGER);
  CREATE TABLE IF NOT EXISTS notes (region TEXT NOT NULL, id INTEGER NOT NULL, test_id INTEGER, body TEXT, PRIMARY KEY (region, id));
`;
const TABLES = [
  { name: "tests", keys: ["id"], columns: ["id", "text", "n"] },
  { name: "notes", keys: ["region", "id"], columns: ["region", "id", "test_id", "body"] },
];
const ANEW: StartAt = { from: null, skipRows: false };
const _from = (id: number | bigint): StartAt => ({ from: BigInt(id), skipRows: false });
const _SKIP: StartAt = { from: null, skipRows: true };
const ALL = "SELECT id, text FROM tests";

describe("subscriptions of the embedded development agent", () => {
  let folder: string;
  let world: World;

  async function open(times: SubscriptionTimes = { batch: 5 }): Promise<World> {
    folder = await mkdtemp(join(tmpdir(), "fleet-subs-"));
    world = new World({ folder, schema: SCHEMA, tables: TABLES, times });
    return world;
  }
  afterEach(async () => {
    await world.close();
    await rm(folder, { recursive: true, force: true });
  });
  const join_ = (sql: string, at: StartAt = ANEW, before?: SubscriptionClient): SubscriptionClient =>
    new SubscriptionClient(world.subscriptions.subscribe({ sql, params: { kind: "none" } }, at), before);
  const _attach = (id: string, at: StartAt, before?: SubscriptionClient): SubscriptionClient =>
    new SubscriptionClient(world.subscriptions.attach(id, at), before);

  it("gives columns, rows and eoq 0 to the first reader, then what changes", async () => {
    await open();
    world.commit("INSERT INTO tests VALUES (1, 'one', 1), (2, 'two', 2)");
    const client = join_(ALL);
    assert.equal(await client.eoq(), 0);
    assert.deepEqual(client.columns, ["id", "text"]);
    world.commit("INSERT INTO tests VALUES (3, 'three', 3)");
    await until("inserted", () => client.changes.length === 1);
    world.commit("UPDATE tests SET text = 'TWO' WHERE id = 2");
    await until("updated", () => client.changes.length === 2);
    world.commit("DELETE FROM tests WHERE id = 1");
    await until("deleted", () => client.changes.length === 3);
    assert.deepEqual(client.changes, [
      'insert 3 [3,"three"] 1',
      'update 2 [2,"TWO"] 2',
      'delete 1 [1,"one"] 3',
    ]);
  });
});
