/**
 * @module Three embedded agents as processes, with clients on all sides, cut off from each other, killed and suspended
 * at random: in the end they are equal, and nothing that was acknowledged is lost.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { EmbeddedAgent } from "../helpers/embedded-agent.ts";
import { httpSubscription } from "../helpers/http-subscription.ts";
import { Prng } from "../helpers/prng.ts";
import { SubscriptionClient } from "../helpers/subscription-client.ts";
import { suspend } from "../helpers/suspend.ts";
import { startProxy, type TcpProxy } from "../helpers/tcp-proxy.ts";
import { until } from "../helpers/until.ts";

const SCHEMA = `
  CREATE TABLE kept (id TEXT NOT NULL PRIMARY KEY, by INTEGER NOT NULL DEFAULT 0);
  CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, a TEXT NOT NULL DEFAULT '', b INTEGER);
  CREATE TABLE pairs (x TEXT NOT NULL, y INTEGER NOT NULL, PRIMARY KEY (x, y));
`;
const CONTENTS = [
  "SELECT id, by FROM kept ORDER BY id",
  "SELECT id, a, b FROM t ORDER BY id",
  "SELECT x, y FROM pairs ORDER BY x, y",
  // The winner of each cell, so that the same tables do not hide different futures; a living row may have been brought
  // back by any of its columns.
  `SELECT "table", hex(pk), cid, val, col_version,
      CASE WHEN cid = '-1' AND cl % 2 = 1 AND "table" = 't' THEN '' ELSE hex(site_id) END, cl
    FROM crsql_changes ORDER BY 1, 2, 3`,
  "SELECT hex(site_id), db_version FROM crsql_db_versions ORDER BY 1",
];
const UNFINISHED = [
  "SELECT * FROM __corro_bookkeeping_gaps",
  "SELECT * FROM __corro_seq_bookkeeping",
  "SELECT * FROM __corro_buffered_changes",
];
const FOLLOWED = ["SELECT id, a, b FROM t", "SELECT t.id, p.x, t.a FROM t JOIN pairs p ON p.y = t.id"];

const CHAOS_MS = 25_000;
const CLIENTS = 6;
/** Longer than that no client waits for an answer, which a suspended agent may never give. */
const PATIENCE_MS = 6000;

/** One agent, the way to its gossip, and who follows it. */
class Member {
  readonly agent: EmbeddedAgent;
  readonly proxy: TcpProxy;
  readonly followers = new Map<string, SubscriptionClient>();
  /** All that ever followed it; each was strict about ids and cells. */
  readonly strict: SubscriptionClient[] = [];
  resumed = 0;

  constructor(agent: EmbeddedAgent, proxy: TcpProxy) {
    this.agent = agent;
    this.proxy = proxy;
  }

  static async prepare(): Promise<Member> {
    const agent = await EmbeddedAgent.prepare({ schema: SCHEMA });
    return new Member(agent, await startProxy(agent.gossipPort));
  }

  /** Others reach its gossip only through its proxy. */
  knows(all: readonly Member[]): void {
    const others = all.filter((other) => other !== this).map(({ proxy }) => `127.0.0.1:${proxy.port}`);
    const lines = `bootstrap = ${JSON.stringify(others)}\nexternal_addr = "127.0.0.1:${this.proxy.port}"`;
    const toml = readFileSync(this.agent.configPath, "utf8").replace("bootstrap = []", lines);
    writeFileSync(this.agent.configPath, toml);
  }

  /** Starts it and follows it: where a clean stop left the subscriptions, else from the beginning. */
  async run(): Promise<void> {
    await this.agent.run();
    for (const sql of FOLLOWED) {
      const before = this.followers.get(sql);
      const resumed =
        before && (await httpSubscription(this.agent.api, { id: before.id, from: before.changeId ?? 0 }));
      if (resumed) this.resumed += 1;
      const attachment = resumed ?? (await httpSubscription(this.agent.api, { sql }));
      assert.ok(attachment);
      const follower = new SubscriptionClient(attachment, resumed ? before : undefined);
      this.followers.set(sql, follower);
      this.strict.push(follower);
    }
  }

  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    await this.agent.end(signal);
    await until("the ends of the streams are seen", () => [...this.followers.values()].every((f) => f.ended));
  }

  async contents(queries: readonly string[]): Promise<string> {
    return JSON.stringify(await Promise.all(queries.map((sql) => this.agent.rows(sql))));
  }
}

describe("three embedded agents under clients", () => {
  let members: Member[] = [];

  beforeEach(async () => {
    members = await Promise.all([Member.prepare(), Member.prepare(), Member.prepare()]);
    for (const member of members) member.knows(members);
    await Promise.all(members.map((member) => member.run()));
  });

  afterEach(async () => {
    for (const { agent, proxy, strict } of members) {
      for (const follower of strict) follower.close();
      await agent.stop();
      await proxy.stop();
    }
  });

  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));
  it(`that are cut off, killed and suspended end equal, and keep what they acknowledged (seed ${seed})`, async function () {
    this.timeout(180_000);
    const acknowledged: string[] = [];
    const together: string[][] = [];
    const over = performance.now() + CHAOS_MS;

    /** Any write; contradictions are wanted. */
    const write = async (prng: Prng, client: number, n: number): Promise<void> => {
      const id = prng.below(20);
      const keys = Array.from({ length: prng.pick([1, 1, 2, 300]) }, (_, i) => `${client}-${n}-${i}`);
      const statements: readonly (readonly unknown[])[] = prng.pick([
        keys.map((key) => ["INSERT INTO kept VALUES (?, ?)", [key, client]]),
        [["INSERT INTO t (id, a) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET a = excluded.a", [id, `${n}`]]],
        [["UPDATE t SET b = coalesce(b, 0) + 1 WHERE id >= ?", [id]]],
        [
          ["DELETE FROM t WHERE id = ?", [id]],
          ["INSERT OR REPLACE INTO t (id, b) VALUES (?, ?)", [(id + 1) % 20, n]],
        ],
        [["INSERT OR IGNORE INTO pairs VALUES (?, ?)", [`k${prng.below(3)}`, id]]],
        [["DELETE FROM pairs WHERE y = ?", [id]]],
      ]);
      const inserts = statements.length === keys.length && String(statements[0]?.[0]).includes("kept");
      if (inserts) together.push(keys);
      const response = await fetch(`${prng.pick(members).agent.api}/v1/transactions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(statements),
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      await response.arrayBuffer();
      if (inserts && response.status === 200) acknowledged.push(...keys);
    };
    const clients = Array.from({ length: CLIENTS }, async (_, client) => {
      const prng = new Prng(seed + 1 + client);
      for (let n = 0; performance.now() < over; n++) {
        // An agent that is down or suspended answers nobody.
        await write(prng, client, n).catch(() => undefined);
        await delay(prng.below(40));
      }
    });

    const did = new Map<string, number>();
    const disturb = async (prng: Prng): Promise<void> => {
      const member = prng.pick(members);
      const lasts = 300 + prng.below(2500);
      const what = prng.pick(["sever", "freeze", "island", "SIGKILL", "SIGTERM", "SIGSTOP"] as const);
      did.set(what, (did.get(what) ?? 0) + 1);
      switch (what) {
        case "sever":
        case "freeze":
          member.proxy[what]();
          await delay(lasts);
          return member.proxy.heal();
        case "island":
          for (const { proxy } of members) proxy.sever();
          await delay(lasts);
          for (const { proxy } of members) proxy.heal();
          return;
        case "SIGSTOP":
          await suspend(member.agent.pid);
          await delay(lasts * 2);
          process.kill(member.agent.pid, "SIGCONT");
          return;
        default:
          await member.end(what);
          await delay(lasts / 4);
          return member.run();
      }
    };
    const chaos = new Prng(seed);
    while (performance.now() < over) {
      await disturb(chaos);
      await delay(chaos.below(500));
    }
    await Promise.all(clients);

    await until(
      "nothing is missing anywhere",
      async () => {
        const unfinished = await Promise.all(members.map((member) => member.contents(UNFINISHED)));
        const contents = await Promise.all(members.map((member) => member.contents(CONTENTS)));
        return unfinished.every((rows) => rows === "[[],[],[]]") && new Set(contents).size === 1;
      },
      60_000,
    );
    const [{ agent }] = members as [Member];
    const stored = new Set((await agent.rows("SELECT id FROM kept")).map(([id]) => String(id)));
    assert.deepEqual(
      acknowledged.filter((id) => !stored.has(id)),
      [],
      "acknowledged, and lost",
    );
    for (const keys of together) {
      const there = keys.filter((key) => stored.has(key)).length;
      assert.ok(
        there === 0 || there === keys.length,
        `${there} of the ${keys.length} rows of one transaction`,
      );
    }
    for (const { followers, strict, agent } of members) {
      for (const [sql, follower] of followers) {
        const rows = (await agent.rows(sql)).map((cells) => JSON.stringify(cells)).sort();
        await follower.shows(() => rows, 20_000);
      }
      for (const { violation, error } of strict) assert.deepEqual([violation, error], [undefined, undefined]);
    }
    assert.ok(acknowledged.length > 100, `only ${acknowledged.length} inserts were acknowledged`);
    assert.ok(did.size > 1);
  });
});
