/** @module Stores that wrote whatever they liked, and got chunks in whatever way, agree in the end. */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import fc from "fast-check";
import { type Agent, exchange, StoreFolder } from "../helpers/stores.ts";

const SEED = Number(process.env.SEED ?? randomInt(2 ** 31));
const RUNS = 40;
const SIDES = ["a", "b", "c"] as const;
/** About one change a chunk. */
const CHUNK_BYTES = 1;

const SCHEMA = `
  CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, a, b TEXT NOT NULL DEFAULT 'b', g AS (a || b));
  CREATE TABLE pair (x TEXT NOT NULL, y INTEGER NOT NULL, v DEFAULT 1.5, PRIMARY KEY (y, x)) WITHOUT ROWID;
  CREATE TABLE bare (k NOT NULL PRIMARY KEY);
`;

const value = fc.constantFrom("1", "2", "2.5", "'x'", "'y'", "''", "x'00'", "NULL", "-7", "1e300");
const text = fc.constantFrom("'p'", "'q'", "''");
const id = fc.constantFrom("1", "2", "3");
const x = fc.constantFrom("'k'", "'l'");
const or = fc.constantFrom("OR REPLACE", "OR IGNORE");

const sql = fc.oneof(
  fc
    .tuple(or, id, value, text)
    .map(([o, i, v, b]) => `INSERT ${o} INTO t (id, a, b) VALUES (${i}, ${v}, ${b})`),
  fc
    .tuple(id, value)
    .map(([i, v]) => `INSERT INTO t (id, a) VALUES (${i}, ${v}) ON CONFLICT DO UPDATE SET a = excluded.a`),
  fc.tuple(value, id).map(([v, i]) => `UPDATE t SET a = ${v} WHERE id = ${i}`),
  fc.tuple(value, text).map(([v, b]) => `UPDATE t SET a = ${v}, b = ${b}`),
  fc.tuple(or, id, id).map(([o, to, from]) => `UPDATE ${o} t SET id = ${to} WHERE id = ${from}`),
  id.map((i) => `DELETE FROM t WHERE id = ${i}`),
  fc
    .tuple(or, x, id, value)
    .map(([o, k, i, v]) => `INSERT ${o} INTO pair (x, y, v) VALUES (${k}, ${i}, ${v})`),
  fc.tuple(x, id).map(([k, i]) => `INSERT OR IGNORE INTO pair (x, y) VALUES (${k}, ${i})`),
  fc.tuple(or, id, x).map(([o, i, k]) => `UPDATE ${o} pair SET y = ${i}, v = v + 1 WHERE x = ${k}`),
  x.map((k) => `DELETE FROM pair WHERE x = ${k}`),
  fc.tuple(or, id).map(([o, i]) => `INSERT ${o} INTO bare VALUES (${i})`),
  fc.tuple(or, id, id).map(([o, to, from]) => `UPDATE ${o} bare SET k = ${to} WHERE k = ${from}`),
  id.map((i) => `DELETE FROM bare WHERE k = ${i}`),
);

const side = fc.nat(SIDES.length - 1);
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      at: side,
      sql: fc.array(sql, { minLength: 1, maxLength: 4 }),
    }),
  },
  // Some chunks of any versions, in any order, some twice, many never.
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("push" as const),
      from: side,
      to: side,
      picks: fc.array(
        fc.record({ at: fc.nat(), length: fc.integer({ min: 1, max: 9 }), reversed: fc.boolean() }),
        {
          minLength: 1,
          maxLength: 4,
        },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("sync" as const), from: side, to: side }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const), at: side }) },
);

const contents = (agent: Agent) => [
  agent.rows("SELECT *, typeof(a), typeof(b) FROM t ORDER BY id"),
  agent.rows("SELECT *, typeof(v) FROM pair ORDER BY y, x"),
  agent.rows("SELECT k, typeof(k) FROM bare ORDER BY k"),
];

/**
 * The winners. The sentinel of a living row says nothing that its columns do not say, if it has any: a column alone may
 * have brought it back.
 */
const winners = (agent: Agent) => [
  agent.rows(`SELECT "table", hex(pk) AS pk, cid, val, col_version, db_version, hex(site_id) AS site, cl, seq, ts
    FROM crsql_changes WHERE cid <> '-1' OR cl % 2 = 0 OR "table" = 'bare' ORDER BY 1, 2, 3`),
  agent.rows(`SELECT DISTINCT "table", hex(pk) AS pk, cl FROM crsql_changes ORDER BY 1, 2`),
];

describe("three stores", () => {
  for (const [what, sql] of [
    ["deleted", "DELETE FROM bare WHERE k = 1"],
    ["brought back", "INSERT INTO bare VALUES (2)"],
  ] as const) {
    it(`agree on a row that two ${what} apart, when the third asks each for the other's version`, () => {
      const folder = new StoreFolder();
      try {
        const agents = SIDES.map((name) => folder.agent(name));
        const [a, b, c] = agents as [Agent, Agent, Agent];
        for (const { store } of agents) store.applySchema([SCHEMA]);
        a.run("INSERT INTO bare VALUES (1), (2)");
        a.run("DELETE FROM bare WHERE k = 2");
        for (const other of [b, c]) exchange(a, other);
        const versions = [a, b].map((agent) => ({ agent, version: agent.run(sql).version! }));
        exchange(a, b);
        exchange(b, a);
        for (const { agent, version } of versions) {
          const asked = agent === a ? b : a;
          const held = asked.store.held(agent.id, version, CHUNK_BYTES);
          c.store.noteHead(agent.id, version);
          if (held.kind === "chunks") c.store.receive(held.chunks);
          else c.store.receiveEmpty(agent.id, { start: version, end: version });
        }
        for (const other of [b, c]) {
          assert.deepEqual(contents(other), contents(a));
          assert.deepEqual(winners(other), winners(a));
        }
      } finally {
        folder.remove();
      }
    });
  }

  it(`agree on rows and winners once each has got everything, and nothing changes when all comes again (seed ${SEED})`, function () {
    this.timeout(240_000);
    let merged = 0;
    let partial = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 8, maxLength: 40, size: "max" }), (steps) => {
        const folder = new StoreFolder();
        try {
          const logs = SIDES.map(() => [] as Agent["chunks"][]);
          const open = (at: number) => {
            const agent = folder.agent(SIDES[at] ?? "", { chunkBytes: CHUNK_BYTES });
            agent.store.applySchema([SCHEMA]);
            return agent;
          };
          const agents = SIDES.map((_, at) => open(at));
          const agent = (at: number) => agents[at] as Agent;
          const chunks = (at: number) => [...(logs[at] ?? []).flat(), ...agent(at).chunks];
          for (const each of steps) {
            if (each.kind === "write") agent(each.at).run(...each.sql);
            else if (each.kind === "restart") {
              logs[each.at]?.push(agent(each.at).chunks);
              agent(each.at).close();
              agents[each.at] = open(each.at);
            } else if (each.kind === "sync") exchange(agent(each.from), agent(each.to), CHUNK_BYTES);
            else {
              const all = chunks(each.from);
              const picked = each.picks.flatMap(({ at, length, reversed }) => {
                const from = at % Math.max(1, all.length);
                const run = all.slice(from, from + length);
                return reversed ? run.toReversed() : run;
              });
              const received = agent(each.to).store.receive(picked);
              partial += received.filter(({ kind }) => kind === "buffered").length;
              merged += received.filter(({ kind }) => kind === "applied").length;
              assert.ok(!received.some(({ kind }) => kind === "refused"), JSON.stringify(received));
            }
          }
          for (const _round of SIDES) {
            for (const from of agents) for (const to of agents) if (from !== to) exchange(from, to);
          }
          const [first, ...others] = agents as [Agent, ...Agent[]];
          for (const other of others) {
            assert.deepEqual(contents(other), contents(first));
            assert.deepEqual(winners(other), winners(first));
          }
          const before = agents.map((each) => [contents(each), winners(each), [...each.store.known()]]);
          for (const to of agents) {
            for (const { need, partial: parts } of to.store.known().values())
              assert.deepEqual([need, parts], [[], []]);
            for (const at of SIDES.keys()) {
              assert.ok(to.store.receive(chunks(at)).every(({ kind }) => kind === "duplicate"));
            }
          }
          assert.deepEqual(
            agents.map((each) => [contents(each), winners(each), [...each.store.known()]]),
            before,
          );
        } finally {
          folder.remove();
        }
      }),
      { seed: SEED, numRuns: RUNS },
    );
    assert.ok(merged > RUNS && partial > RUNS, `${merged} versions were merged, ${partial} chunks waited`);
  });
});
