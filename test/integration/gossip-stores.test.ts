/** @module Gossip between real stores: cut, killed and drifted apart, three agents end with identical tables. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Gossip, GossipEvent } from "../../corrosion/embedded/gossip/contract.ts";
import { startGossip } from "../../corrosion/embedded/gossip/gossip.ts";
import type { Replication } from "../../corrosion/embedded/replication.ts";
import type { Store } from "../../corrosion/embedded/store/contract.ts";
import { openStore } from "../../corrosion/embedded/store/store.ts";
import { ntp64, QUICK } from "../helpers/gossips.ts";
import { Prng } from "../helpers/prng.ts";
import { freePort } from "../helpers/program.ts";
import { startProxy, type TcpProxy } from "../helpers/tcp-proxy.ts";
import { until } from "../helpers/until.ts";

const SCHEMA = `
  CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, a TEXT NOT NULL DEFAULT '', b INTEGER, c REAL, d BLOB);
  CREATE TABLE pairs (x TEXT NOT NULL, y INTEGER NOT NULL, PRIMARY KEY (x, y));
`;
const TABLES = ["t", "pairs"] as const;

/** The store as gossip reaches it: in its process each call would be a message there and back. */
function portOf(store: Store): Replication {
  return {
    known: async () => store.known(),
    held: async (origin, version, maxBytes) => store.held(origin, version, maxBytes),
    receive: async (chunks) => store.receive(chunks),
    receiveEmpty: async (origin, versions) => store.receiveEmpty(origin, versions),
    noteHead: async (origin, head) => store.noteHead(origin, head),
  };
}

class Agent {
  readonly path: string;
  readonly port: number;
  readonly proxy: TcpProxy;
  readonly events: GossipEvent[] = [];
  clockMs = 0;
  store: Store;
  gossip: Gossip | null = null;

  constructor(path: string, port: number, proxy: TcpProxy, schema = SCHEMA) {
    this.path = path;
    this.port = port;
    this.proxy = proxy;
    this.store = this.#open();
    this.store.applySchema([schema]);
  }

  #open(): Store {
    const store = openStore({ path: this.path, now: () => Date.now() + this.clockMs });
    store.onCommitted((committed) => {
      if (committed.local) this.gossip?.localCommit(committed);
    });
    return store;
  }

  get address(): string {
    return `127.0.0.1:${this.proxy.port}`;
  }

  async join(others: readonly Agent[]): Promise<void> {
    this.gossip = await startGossip({
      actorId: this.store.actorId,
      listen: `127.0.0.1:${this.port}`,
      externalAddr: this.address,
      bootstrap: others.filter((other) => other !== this).map(({ address }) => address),
      remembered: [],
      clusterId: this.store.clusterId,
      memberId: null,
      replication: portOf(this.store),
      ts: () => ntp64(Date.now() + this.clockMs),
      onEvent: (event) => this.events.push(event),
      pace: QUICK,
    });
  }

  async leave(): Promise<void> {
    await this.gossip?.stop();
    this.gossip = null;
  }

  /** Ends as a process does, and begins again on the same files. */
  reopen(): void {
    this.store.close();
    this.store = this.#open();
  }

  write(sql: string, ...values: (string | bigint | number | null)[]): void {
    this.store.transact([{ sql, params: { kind: "positional", values } }]);
  }

  /** All rows of the tables, and with `clocks` the winners of each cell. */
  contents(): string {
    const db = new DatabaseSync(this.path, { readOnly: true, readBigInts: true });
    try {
      const rows = TABLES.map((table) => db.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`).all());
      return JSON.stringify(rows, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
    } finally {
      db.close();
    }
  }
}

describe("stores that gossip", () => {
  let folder = "";
  let all: Agent[] = [];

  async function agents(count: number): Promise<Agent[]> {
    for (let i = 0; i < count; i++) {
      const port = await freePort();
      all.push(new Agent(join(folder, `${i}.db`), port, await startProxy(port)));
    }
    return all;
  }

  async function joined(count: number): Promise<Agent[]> {
    await agents(count);
    for (const agent of all) await agent.join(all);
    await untilMet();
    return all;
  }

  async function untilMet(): Promise<void> {
    await until("all are connected", () =>
      all.every(({ gossip }) => gossip?.status().peers === all.length - 1),
    );
  }

  async function untilEqual(): Promise<void> {
    await until("nothing is missing anywhere", () => {
      const known = all.map(({ store }) => store.known());
      const origins = new Set(known.flatMap((one) => [...one.keys()]));
      return [...origins].every((origin) => {
        const heads = known.map((one) => one.get(origin)?.head);
        const gaps = known.some((one) => one.get(origin)?.need.length || one.get(origin)?.partial.length);
        return new Set(heads).size === 1 && !gaps;
      });
    });
    const [first, ...others] = all.map((agent) => agent.contents());
    for (const other of others) assert.equal(other, first);
  }

  /** Any write on any of a few rows, so that agents contradict each other. */
  function writeSomething(agent: Agent, prng: Prng): void {
    const id = BigInt(prng.below(12));
    const kind = prng.below(7);
    if (kind === 0) agent.write("DELETE FROM t WHERE id = ?", id);
    else if (kind === 1) agent.write("UPDATE t SET b = coalesce(b, 0) + 1 WHERE id >= ?", id);
    else if (kind === 2)
      agent.write("INSERT OR REPLACE INTO t (id, c) VALUES (?, ?)", id, prng.below(100) / 8);
    else if (kind === 3) agent.write("INSERT OR IGNORE INTO pairs VALUES (?, ?)", `k${prng.below(3)}`, id);
    else if (kind === 4) agent.write("DELETE FROM pairs WHERE y = ?", id);
    else {
      const sql =
        "INSERT INTO t (id, a, d) VALUES (?, ?, zeroblob(3)) ON CONFLICT (id) DO UPDATE SET a = excluded.a";
      agent.write(sql, id, `${prng.below(1000)}`);
    }
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "gs-"));
  });

  afterEach(async () => {
    for (const agent of all) {
      await agent.leave();
      agent.store.close();
    }
    for (const { proxy } of all) await proxy.stop();
    all = [];
    rmSync(folder, { recursive: true });
  });

  for (let round = 0; round < 3; round++) {
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32)) + round;
    it(`are cut, written on all sides, restarted and joined again, and end with identical tables (seed ${seed})`, async () => {
      const prng = new Prng(seed);
      await joined(3);
      for (let phase = 0; phase < 3; phase++) {
        for (let i = 0; i < 30; i++) writeSomething(prng.pick(all), prng);
        const cut = all.filter(() => prng.chance(0.7));
        for (const { proxy } of cut) if (prng.chance(0.5)) proxy.sever();
        for (const agent of all) {
          if (prng.chance(0.3)) await agent.leave();
          agent.clockMs += prng.pick([0, -3_600_000, 86_400_000]);
        }
        for (let i = 0; i < 60; i++) writeSomething(prng.pick(all), prng);
        for (const agent of all) {
          agent.proxy.heal();
          if (agent.gossip !== null) continue;
          agent.reopen();
          for (let i = 0; i < 10; i++) writeSomething(agent, prng);
          await agent.join(all);
        }
      }
      await untilMet();
      await untilEqual();
      for (const { events } of all) {
        assert.deepEqual(
          events.filter(({ kind }) => ["refused", "trouble", "rejected"].includes(kind)),
          [],
        );
      }
    });
  }

  it("keep what a schema does not know as gaps, until it does", async () => {
    const [a, b, c] = (await joined(3)) as [Agent, Agent, Agent];
    const wider = SCHEMA.replace("d BLOB", "d BLOB, e TEXT");
    a.store.applySchema([wider]);
    c.store.applySchema([wider]);
    a.write("INSERT INTO t (id, e) VALUES (1, 'new')");
    a.write("INSERT INTO pairs VALUES ('k', 1)");
    await until("the other version is there", () => b.contents().includes('"k"'));
    await until("it is told", () => b.events.some(({ kind }) => kind === "refused"));
    assert.deepEqual(b.store.known().get(a.store.actorId)?.need, [{ start: 1n, end: 1n }]);
    b.store.applySchema([wider]);
    b.gossip!.retryRefused();
    await untilEqual();
    assert.match(b.contents(), /"new"/);
    assert.equal(c.contents(), a.contents());
    assert.equal(b.events.filter(({ kind }) => kind === "refused").length, 1);
  });

  it("take a large transaction whole or not at all, and what was overwritten meanwhile not at all", async () => {
    const [a, b] = (await agents(2)) as [Agent, Agent];
    await a.join([]);
    await b.join([a]);
    await untilMet();
    const many =
      "INSERT INTO t (id, a) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i, 'x' || i FROM n";
    a.write(many);
    const seen = new Set<number>();
    await until("all is there", () => {
      const rows = JSON.parse(b.contents())[0].length as number;
      seen.add(rows);
      return rows === 10_000;
    });
    assert.ok(
      [...seen].every((rows) => rows === 0 || rows === 10_000),
      `it was seen in parts: ${[...seen]}`,
    );
    await b.leave();
    for (let i = 0; i < 5; i++) a.write("UPDATE t SET a = ? WHERE id % 7 = 0", `${i}`);
    await b.join([a]);
    await untilEqual();
  });

  it("show a change on the other two within 500 ms at the 99th percentile while idle", async () => {
    const [a, b, c] = (await joined(3)) as [Agent, Agent, Agent];
    const took: number[] = [];
    for (let i = 0; i < 300; i++) {
      const began = performance.now();
      a.write("INSERT INTO t (id, a) VALUES (?, 'x')", BigInt(i));
      const version = BigInt(i + 1);
      const there = (agent: Agent) => agent.store.known().get(a.store.actorId)?.head === version;
      while (!(there(b) && there(c))) await new Promise((resolve) => setImmediate(resolve));
      took.push(performance.now() - began);
    }
    took.sort((x, y) => x - y);
    const [median, p99] = [took[150]!, took[297]!];
    console.log(`      visible on both: median ${median.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);
    assert.ok(p99 < 500);
  });

  it("catch up 10,000 versions in seconds", async () => {
    const [a, b] = (await agents(2)) as [Agent, Agent];
    for (let i = 0; i < 10_000; i++) a.write("INSERT INTO t (id, a) VALUES (?, 'x')", BigInt(i));
    await a.join([]);
    const began = performance.now();
    await b.join([a]);
    await untilEqual();
    console.log(`      10,000 versions: ${Math.round(performance.now() - began)} ms`);
  });
});
