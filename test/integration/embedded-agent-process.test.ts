/** @module The embedded agent as a process: how it starts, stops, is killed, and what it does about endless SQL. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { EmbeddedAgent, TEST_SCHEMA } from "../helpers/embedded-agent.ts";
import { freePort } from "../helpers/program.ts";
import { mayMount, smallDisk } from "../helpers/small-disk.ts";
import { until } from "../helpers/until.ts";

const ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c WHERE x < 0";
const ENDLESS_WRITE = `INSERT INTO tests (id) ${ENDLESS}`;

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const agents: EmbeddedAgent[] = [];
async function start(options: Parameters<typeof EmbeddedAgent.start>[0] = {}): Promise<EmbeddedAgent> {
  const agent = await prepare(options);
  await agent.run();
  return agent;
}
async function prepare(options: Parameters<typeof EmbeddedAgent.start>[0] = {}): Promise<EmbeddedAgent> {
  const agent = await EmbeddedAgent.prepare(options);
  agents.push(agent);
  return agent;
}
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.stop();
});

describe("starting an embedded agent", () => {
  /** It ends with code 1 and one sentence. */
  async function refused(agent: EmbeddedAgent, message: RegExp): Promise<void> {
    const { code, stderr } = await agent.launch();
    assert.equal(code, 1);
    assert.match(stderr, message);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  }

  it("fails when the port of the API is taken, and leaves no socket behind", async () => {
    const agent = await prepare();
    const taken = createServer().listen(agent.apiPort, "127.0.0.1");
    await once(taken, "listening");
    try {
      await refused(
        agent,
        new RegExp(`cannot listen on 127\\.0\\.0\\.1:${agent.apiPort}: the port is taken`),
      );
      assert.ok(!existsSync(agent.adminPath));
    } finally {
      taken.close();
    }
  });

  it("fails when the gossip address is taken", async () => {
    const agent = await prepare();
    const taken = createServer().listen(agent.gossipPort, "127.0.0.1");
    await once(taken, "listening");
    try {
      await refused(agent, new RegExp(String(agent.gossipPort)));
    } finally {
      taken.close();
    }
  });

  it("fails when the configuration is no TOML, or missing", async () => {
    const agent = await prepare();
    writeFileSync(agent.configPath, "[db\n");
    await refused(agent, /is no TOML: line 1/);
    writeFileSync(agent.configPath, "");
    await refused(agent, /has no db\.path/);
  });

  it("fails when another agent listens on the admin socket, and does the other one no harm", async () => {
    const agent = await start();
    const second = await prepare({ folder: agent.folder });
    await refused(second, /Another agent listens on the admin socket/);
    assert.deepEqual(await agent.rows("SELECT 1"), [[1]]);
    assert.equal((await agent.cli("cluster", "members")).code, 0);
  });

  it("removes an admin socket that nobody listens on", async () => {
    const agent = await start();
    await agent.end("SIGKILL");
    assert.ok(existsSync(agent.adminPath));
    await agent.run();
    assert.equal((await agent.cli("cluster", "members")).code, 0);
  });

  it("fails when the admin path is no socket, and leaves the file alone", async () => {
    const agent = await prepare();
    writeFileSync(agent.adminPath, "precious");
    await refused(agent, /is no socket/);
    assert.ok(existsSync(agent.adminPath));
  });

  it("fails when the admin socket's path is too long for the system", async () => {
    const agent = await prepare({ env: { ADMIN__PATH: `/tmp/${"x".repeat(120)}` } });
    await refused(agent, /longer than the \d+ bytes/);
  });

  it("fails when the database is none of an embedded agent, and leaves it alone", async () => {
    const agent = await prepare();
    const db = new DatabaseSync(agent.dbPath);
    db.exec("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)");
    db.close();
    await refused(agent, /not a database of an embedded development agent/);
    const again = new DatabaseSync(agent.dbPath);
    assert.deepEqual(
      again
        .prepare("SELECT name FROM sqlite_schema")
        .all()
        .map(({ name }) => name),
      ["theirs"],
    );
    again.close();
  });

  it("fails when the file is no database at all, or cannot be made", async () => {
    const agent = await prepare();
    writeFileSync(
      agent.dbPath,
      "this is no database, but a text that is long enough to be looked at\n".repeat(20),
    );
    await refused(agent, /corrosion\.db/);
    const unwritable = await prepare({ env: { DB__PATH: `${agent.configPath}/sub/c.db` } });
    await refused(unwritable, /folder of the database, .*, cannot be made/);
  });

  it("fails when its folders would lie where nothing can be made", async () => {
    for (const name of ["DB__PATH", "DB__SUBSCRIPTIONS_PATH", "ADMIN__PATH"]) {
      await refused(await prepare({ env: { [name]: "/proc/none/of/it" } }), /\/proc\/none/);
    }
  });

  it("only logs an error in the schema files, and serves", async () => {
    const agent = await start({
      schema: "CREATE TABLE broken (id INTEGER NOT NULL PRIMARY KEY, x TEXT UNIQUE);",
    });
    assert.match(agent.output, /ERROR the schema files were not applied.*unique indexes are not supported/);
    assert.deepEqual(await agent.rows("SELECT 1"), [[1]]);
  });

  it("warns of configured features that it has not, by the agent's name", async () => {
    const agent = await start({ more: `[consul.client]\naddr = "127.0.0.1:1"` });
    assert.match(agent.output, /WARN consul is configured, but the embedded development agent has it not/);
  });

  it("listens on several API addresses", async () => {
    const other = await freePort();
    const agent = await prepare();
    const toml = `[db]\npath = "${agent.dbPath}"\n[api]\naddr = ["127.0.0.1:${agent.apiPort}", "127.0.0.1:${other}"]
[gossip]\naddr = "${agent.gossipAddr}"\nplaintext = true\n[admin]\npath = "${agent.adminPath}"\n`;
    writeFileSync(agent.configPath, toml);
    await agent.run();
    for (const port of [agent.apiPort, other]) {
      assert.equal((await fetch(`http://127.0.0.1:${port}/v1/nowhere`)).status, 404);
    }
  });

  it("serves Prometheus its figures, and says who it is", async () => {
    const port = await freePort();
    const agent = await start({ more: `[telemetry.prometheus]\naddr = "127.0.0.1:${port}"` });
    await agent.transact(["INSERT INTO tests VALUES (1, ''), (2, '')"]);
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    assert.match(text, /corro_build_info\{version="[^"]+",agent="embedded development agent"\} 1/);
    assert.match(text, /corro_db_table_rows_total\{table="tests"\} 2/);
    assert.match(text, /corro_changes_committed\{table="tests",source="local"\} 2/);
    assert.match(text, /corro_gossip_members 0/);
  });

  it("writes nothing outside of the configured paths", async () => {
    const agent = await start();
    await agent.transact(["INSERT INTO tests VALUES (1, '')"]);
    await agent.end();
    const allowed = /^(config\.toml|schema|corrosion\.db(-wal|-shm)?|subscriptions)$/;
    assert.deepEqual(
      readdirSync(agent.folder).filter((name) => !allowed.test(name)),
      [],
    );
  });
});

describe("stopping an embedded agent", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`with ${signal} ends streams, removes the socket and exits with 0 within 2 s, whatever runs`, async () => {
      const agent = await start();
      const children = agent.childPids;
      const stream = await agent.post("/v1/subscriptions", "SELECT id, text FROM tests");
      assert.equal(stream.status, 200);
      const endless = agent.post("/v1/queries?timeout=0", ENDLESS).then((answer) => answer.text());
      const writing = agent.post("/v1/transactions", [ENDLESS_WRITE]).catch(() => null);
      await until("all of it runs, so that a query needs one more reader", async () => {
        await agent.rows("SELECT 1");
        return agent.childPids.length > children.length;
      });
      const busy = agent.childPids;
      const began = performance.now();
      const { code } = await agent.end(signal);
      const ms = performance.now() - began;
      assert.equal(code, 0);
      assert.ok(ms < 3_000, `${ms} ms`);
      await stream.text();
      await endless.catch(() => {});
      await writing;
      assert.ok(!existsSync(agent.adminPath));
      await until("no child is left", () => !busy.some(alive), 2_000);
    });
  }

  it("keeps what was committed, the actor's id and the version", async () => {
    const agent = await start();
    const { body } = await agent.transact(["INSERT INTO tests VALUES (1, 'kept')"]);
    await agent.end();
    await agent.run();
    assert.deepEqual(await agent.rows("SELECT text FROM tests"), [["kept"]]);
    const again = await agent.transact(["INSERT INTO tests VALUES (2, '')"]);
    assert.deepEqual([again.body.actor_id, again.body.version], [body.actor_id, 2]);
  });

  it("keeps subscriptions after a clean stop, and drops them after kill -9", async () => {
    const agent = await start();
    const subscribe = async () => {
      const stop = new AbortController();
      const answer = await fetch(`${agent.api}/v1/subscriptions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify("SELECT id, text FROM tests"),
        signal: stop.signal,
      });
      const id = answer.headers.get("corro-query-id") ?? "";
      const reader = answer.body?.getReader();
      let text = "";
      while (!text.includes('"eoq"')) text += new TextDecoder().decode((await reader?.read())?.value);
      stop.abort();
      return id;
    };
    const found = async (id: string) => {
      const stop = new AbortController();
      const { status } = await fetch(`${agent.api}/v1/subscriptions/${id}`, { signal: stop.signal });
      stop.abort();
      return status;
    };
    const id = await subscribe();
    await agent.end("SIGTERM");
    await agent.run();
    assert.equal(await found(id), 200);
    await agent.end("SIGKILL");
    await agent.run();
    assert.equal(await found(id), 404);
  });
});

describe("killing an embedded agent", () => {
  it("with SIGKILL leaves no child behind, even one inside an endless statement", async () => {
    const agent = await start();
    const reading = agent.post("/v1/queries?timeout=0", ENDLESS).catch(() => null);
    const writing = agent.post("/v1/transactions", [ENDLESS_WRITE]).catch(() => null);
    await reading;
    await until("reader and writer are there", () => agent.childPids.length >= 2);
    const children = agent.childPids;
    await agent.end("SIGKILL");
    await writing;
    await until("all children are gone", () => !children.some(alive), 5_000);
  });

  it("under write load loses nothing that was acknowledged", async () => {
    const agent = await start();
    const acknowledged: number[] = [];
    for (let round = 0; round < 3; round++) {
      let next = round * 1_000_000;
      let down = false;
      const connections = Array.from({ length: 8 }, async () => {
        while (!down) {
          const id = ++next;
          const done = await agent
            .transact([["INSERT INTO tests (id, text) VALUES (?, 'x')", [id]]])
            .catch(() => null);
          if (done?.status === 200) acknowledged.push(id);
        }
      });
      const before = acknowledged.length;
      await until("some hundred are acknowledged", () => acknowledged.length > before + 300);
      await agent.end("SIGKILL");
      down = true;
      await Promise.all(connections);
      await agent.run();
      const stored = new Set((await agent.rows("SELECT id FROM tests")).map(([id]) => id));
      assert.deepEqual(
        acknowledged.filter((id) => !stored.has(id)),
        [],
      );
    }
  });

  it("only its writer: what was under way fails honestly, the next one goes on, acknowledged writes stay", async () => {
    const agent = await start();
    await agent.transact(["INSERT INTO tests VALUES (1, 'kept')"]);
    const updates = await agent.post("/v1/updates/tests", null);
    const writing = agent.transact([ENDLESS_WRITE]);
    const [writer] = agent.childPids;
    await agent.rows("SELECT 1");
    process.kill(writer ?? 0, "SIGKILL");
    const { status, body } = await writing;
    assert.equal(status, 500);
    assert.match(body.results[0]?.error ?? "", /not known/);
    const next = await agent.transact(["INSERT INTO tests VALUES (2, '')"]);
    assert.deepEqual([next.status, next.body.version], [200, 2]);
    assert.deepEqual(await agent.rows("SELECT id FROM tests"), [[1], [2]]);
    // Its end is the only sign for who follows a table that something may have been missed.
    assert.equal(updates.status, 200);
    await updates.text();
  });

  it("only its readers: their queries end with an error line, later ones are answered", async () => {
    const agent = await start();
    const answer = await agent.post("/v1/queries?timeout=0", ENDLESS);
    const [, ...readers] = agent.childPids;
    for (const pid of readers) process.kill(pid, "SIGKILL");
    const lines = (await answer.text()).trim().split("\n");
    assert.match(lines.at(-1) ?? "", /^\{"error":"/);
    assert.deepEqual(await agent.rows("SELECT 1"), [[1]]);
  });
});

describe("endless SQL in an embedded agent", () => {
  it("is interrupted in a query by its timeout, while others are answered", async () => {
    const agent = await start();
    const began = performance.now();
    const endless = agent.query(ENDLESS, "?timeout=1");
    assert.deepEqual(await agent.rows("SELECT 1"), [[1]]);
    assert.equal((await agent.transact(["INSERT INTO tests VALUES (1, '')"])).status, 200);
    const { status, lines } = await endless;
    assert.equal(status, 200);
    assert.deepEqual(lines, [{ columns: ["x"] }, { error: "interrupted" }]);
    const ms = performance.now() - began;
    assert.ok(ms >= 1_000 && ms < 4_000, `${ms} ms`);
  });

  it("is interrupted in a transaction by its timeout; nothing of it is kept, and those behind it go on", async () => {
    const agent = await start();
    const began = performance.now();
    const endless = agent.transact(["INSERT INTO tests VALUES (5, 'half')", ENDLESS_WRITE], "?timeout=1");
    const behind = Array.from({ length: 20 }, (_, i) =>
      agent.transact([`INSERT INTO tests2 VALUES (${i}, '')`]),
    );
    assert.deepEqual(await agent.rows("SELECT 1"), [[1]]);
    const { status, body } = await endless;
    assert.equal(status, 500);
    assert.deepEqual(body.results, [{ error: "rusqlite: interrupted (actor_id: None, version: None)" }]);
    assert.ok(performance.now() - began < 4_000);
    assert.deepEqual(
      (await Promise.all(behind)).map((each) => each.status),
      behind.map(() => 200),
    );
    assert.deepEqual(await agent.rows("SELECT count(*) FROM tests"), [[0]]);
    assert.deepEqual(await agent.rows("SELECT count(*) FROM tests2"), [[20]]);
  });

  it("has its timeout for each statement, not for all together", async () => {
    const agent = await start();
    const slow = `INSERT OR REPLACE INTO tests SELECT 1, max(x) FROM
      (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1500000) SELECT x FROM c)`;
    const one = (await agent.transact([slow])).body.results[0]?.time ?? 1;
    // Seconds, whole: three times what one takes, so that a busy machine does not end it.
    const limit = Math.ceil(3 * one);
    const times = Math.ceil((4 * limit) / one);
    const { status, body } = await agent.transact(
      Array.from({ length: times }, () => slow),
      `?timeout=${limit}`,
    );
    assert.equal(status, 200, JSON.stringify(body));
    assert.ok(body.time > limit, `${body.time} s`);
  });

  it("does not end subscriptions: they go on after the writer was replaced", async () => {
    const agent = await start();
    const stop = new AbortController();
    const answer = await fetch(`${agent.api}/v1/subscriptions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify("SELECT id, text FROM tests"),
      signal: stop.signal,
    });
    const reader = answer.body?.getReader();
    let text = "";
    const seen = async (what: string) => {
      while (!text.includes(what)) text += new TextDecoder().decode((await reader?.read())?.value);
    };
    await seen('"eoq"');
    assert.equal((await agent.transact([ENDLESS_WRITE], "?timeout=1")).status, 500);
    await agent.transact(["INSERT INTO tests VALUES (8, 'after')"]);
    await seen('"after"');
    stop.abort();
  });
});

describe("an embedded agent whose disk is full", () => {
  before(function () {
    if (!mayMount) this.skip();
  });

  it("ends with code 1 and one sentence when it is so at its start", async () => {
    const disk = smallDisk(8);
    try {
      disk.fill();
      const agent = await prepare({ env: { DB__PATH: join(disk.path, "c.db") } });
      const { code, stderr } = await agent.launch();
      assert.equal(code, 1);
      assert.match(stderr, /^[^\n]*full\n$/);
    } finally {
      await disk.stop();
    }
  });

  it("fails the transaction with SQLite's message, goes on serving, and writes again when there is room", async () => {
    const disk = smallDisk(8);
    try {
      const folder = join(disk.path, "a");
      mkdirSync(folder);
      const agent = await start({ folder, schema: TEST_SCHEMA });
      await agent.transact(["INSERT INTO tests VALUES (1, 'kept')"]);
      disk.fill();
      const full = await until("a transaction fails", async () => {
        const answer = await agent.transact([
          "INSERT OR REPLACE INTO tests2 VALUES (1, hex(randomblob(100000)))",
        ]);
        return answer.status === 500 ? answer : null;
      });
      assert.match(full.body.results[0]?.error ?? "", /disk is full|disk I\/O error/);
      assert.deepEqual(await agent.rows("SELECT text FROM tests"), [["kept"]]);
      disk.free();
      await until(
        "there is room",
        async () => (await agent.transact(["INSERT OR REPLACE INTO tests VALUES (2, '')"])).status === 200,
      );
      await agent.end();
    } finally {
      await disk.stop();
    }
  });
});
