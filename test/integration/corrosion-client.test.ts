/** @module The client of an agent over real connections to a server that answers as a test says. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { AgentError } from "../../lib/corrosion/client/errors.ts";
import { type ClientOptions, CorrosionClient } from "../../lib/corrosion/client/http.ts";
import { freePort } from "../helpers/program.ts";
import { type Exchange, ScriptedAgent } from "../helpers/scripted-agent.ts";
import { until } from "../helpers/until.ts";

const TOKEN = "s3cret-t0ken";

async function failure(promise: Promise<unknown>): Promise<AgentError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof AgentError, String(error));
    assert.ok(!error.message.includes(TOKEN), "an error never shows the token");
    assert.doesNotMatch(error.message, /\n/);
    return error;
  }
  throw new Error("it should have failed");
}

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

describe("A client of an agent", () => {
  let agent: ScriptedAgent;

  beforeEach(async () => {
    agent = await ScriptedAgent.start();
  });
  afterEach(async () => {
    await until("no connection is left open", async () => (await agent.connections()) === 0, 5000);
    await agent.stop();
  });

  const client = (options: Partial<ClientOptions> = {}) =>
    new CorrosionClient({ url: agent.url, token: TOKEN, ...options });

  it("asks with parameters, its token and a time limit, and gives all rows", async () => {
    agent.onRequest = (exchange) =>
      exchange
        .head(200)
        .lines(
          { columns: ["a", "b"] },
          '{"row":[1,[9007199254740993,"\u00e4"]]}',
          '{"row":[2,[1.5,[0,255]]]}',
          { eoq: { time: 5e-8 } },
        )
        .end();
    const result = await client().query(["SELECT a, b FROM t WHERE a = ?", ["'; DROP TABLE t"]]);
    assert.deepEqual(result, {
      columns: ["a", "b"],
      rows: [
        [9007199254740993n, "\u00e4"],
        [1.5, Uint8Array.of(0, 255)],
      ],
      truncated: false,
    });
    const [{ method, path, headers, body }] = agent.exchanges as [Exchange];
    assert.deepEqual([method, path], ["POST", "/v1/queries?timeout=5"]);
    assert.equal(headers.authorization, `Bearer ${TOKEN}`);
    assert.equal(headers["content-type"], "application/json");
    assert.equal(body, `["SELECT a, b FROM t WHERE a = ?",["'; DROP TABLE t"]]`);
  });

  it("sends no authorization without a token, and names the endpoint that it expects", async () => {
    agent.onRequest = (exchange) => exchange.reply(421, "");
    const error = await failure(client({ token: null, endpointName: "node1" }).ping());
    assert.equal(error.kind, "wrong_node");
    assert.equal(agent.exchanges[0]?.headers.authorization, undefined);
    assert.equal(agent.exchanges[0]?.headers["x-corrosion-requested-endpoint-name"], "node1");
  });

  it("breaks a query off at its limit, and says so only when there was more", async () => {
    let sent: Exchange | null = null;
    agent.onRequest = (exchange) => {
      sent = exchange
        .head(200)
        .lines({ columns: ["a"] }, { row: [1, [1]] }, { row: [2, [2]] }, { row: [3, [3]] });
    };
    assert.deepEqual(await client().query("S", { limit: 2 }), {
      columns: ["a"],
      rows: [[1], [2]],
      truncated: true,
    });
    await until("the stream is closed", () => sent?.closed);
    agent.onRequest = (exchange) =>
      exchange
        .head(200)
        .lines({ columns: ["a"] }, { row: [1, [1]] }, { row: [2, [2]] }, { eoq: { time: 1 } })
        .end();
    assert.equal((await client().query("S", { limit: 2 })).truncated, false);
  });

  it("gives rows one by one, and closes the connection when the loop is left", async () => {
    agent.onRequest = (exchange) =>
      exchange.head(200).lines({ columns: ["a"] }, { row: [1, [1]] }, { row: [2, [2]] });
    for await (const cells of client().stream("S")) {
      assert.deepEqual(cells, [1]);
      break;
    }
    await until("the stream is closed", () => agent.exchanges[0]?.closed);
  });

  it("refuses an answer that is not whole, and never takes it for a shorter one", async () => {
    const whole = [
      '{"columns":["a"]}\n',
      '{"row":[1,["\u00e4"]]}\n',
      '{"row":[2,["x"]]}\n',
      '{"eoq":{"time":1}}\n',
    ].join("");
    const bytes = Buffer.from(whole);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 3), fc.boolean(), async (length, clean) => {
        agent.onRequest = (exchange) => {
          exchange.head(200).write(bytes.subarray(0, length));
          if (clean) exchange.end();
          else setImmediate(() => exchange.cut());
        };
        const error = await failure(all(client().stream("S")));
        assert.ok(
          clean ? error.kind === "incomplete" : ["unreachable", "incomplete"].includes(error.kind),
          error.kind,
        );
      }),
      { numRuns: 60 },
    );
    agent.onRequest = (exchange) => {
      exchange.head(200).write(bytes.subarray(0, -1)).end();
    };
    assert.equal((await all(client().stream("S"))).length, 2, "the last line feed may be missing");
  });

  it("reads the same from any chunks", async () => {
    const text =
      '{"columns":["a"]}\n{"row":[1,["\u00e4\u{1f600}",9223372036854775807]]}\n{"eoq":{"time":1}}\n';
    const bytes = Buffer.from(text);
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 1, max: bytes.length - 1 }), { maxLength: 6 }),
        async (cuts) => {
          agent.onRequest = async (exchange) => {
            exchange.head(200);
            let from = 0;
            for (const end of [...cuts.sort((a, b) => a - b), bytes.length]) {
              exchange.write(bytes.subarray(from, end));
              from = end;
              await new Promise(setImmediate);
            }
            exchange.end();
          };
          assert.deepEqual((await client().query("S")).rows, [["\u00e4\u{1f600}", 9223372036854775807n]]);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("says what failed in SQLite's words: before, in, and after the rows", async () => {
    agent.onRequest = (exchange) => exchange.reply(400, { error: "no such table: x" });
    const early = await failure(client().query("S"));
    assert.deepEqual([early.kind, early.message, early.status], ["sql", "no such table: x", 400]);
    agent.onRequest = (exchange) =>
      exchange
        .head(200)
        .lines({ columns: ["a"] }, { row: [1, [1]] }, { error: "integer overflow" })
        .end();
    const late = await failure(client().query("S"));
    assert.deepEqual([late.kind, late.message], ["sql", "integer overflow"]);
    agent.onRequest = (exchange) =>
      exchange
        .head(200)
        .lines({ columns: ["a"] }, { error: "interrupted" })
        .end();
    assert.equal((await failure(client().query("S"))).kind, "timeout");
    assert.equal(agent.exchanges.length, 3, "none of them is tried again");
  });

  it("refuses lines that no agent sends, and agents before 1.0", async () => {
    const refused = async (...lines: (string | Uint8Array)[]) => {
      agent.onRequest = (exchange) => {
        exchange.head(200);
        for (const line of lines) exchange.write(line);
        exchange.end();
      };
      return (await failure(client().query("S"))).kind;
    };
    assert.equal(await refused("<html>\n"), "protocol");
    assert.equal(await refused(Uint8Array.of(0xff, 0x0a)), "protocol");
    assert.equal(await refused('{"columns":["a"]}\n{"row":[1,1]}\n'), "protocol");
    assert.equal(await refused('{"columns":["a"]}\n{"change":["insert",1,[1]]}\n'), "too_old");
    assert.equal(await refused(""), "incomplete");
    agent.onRequest = (exchange) => exchange.reply(404, "");
    assert.equal((await failure(client().health())).kind, "too_old");
    agent.onRequest = (exchange) =>
      exchange.reply(200, { results: [{ rows_affected: 1, time: 0 }, { error: "x" }] });
    assert.equal((await failure(client().transact(["S"]))).kind, "too_old");
  });

  it("tries a read that met a passing trouble twice more", async () => {
    const troubles: ((exchange: Exchange) => void)[] = [
      (exchange) => exchange.reply(503, "max concurrency limit reached"),
      (exchange) => exchange.cut(),
      (exchange) =>
        exchange
          .head(200)
          .lines({ columns: ["a"] }, { row: [1, [1]] }, { eoq: { time: 1 } })
          .end(),
    ];
    agent.onRequest = (exchange) => troubles.shift()?.(exchange);
    assert.equal((await client().query("S")).rows.length, 1);
    assert.equal(agent.exchanges.length, 3);
    agent.onRequest = (exchange) => exchange.reply(503, "max concurrency limit reached");
    assert.equal((await failure(client().query("S"))).kind, "overloaded");
    assert.equal(agent.exchanges.length, 6);
    agent.onRequest = (exchange) => exchange.reply(401, "");
    assert.equal((await failure(client().query("S"))).kind, "unauthorized");
    assert.equal(agent.exchanges.length, 7, "what will not pass is not tried again");
  });

  it("gives up in time: while it connects, waits, or reads", async () => {
    const began = performance.now();
    const silent = await failure(client({ timeoutMs: 100 }).query("S"));
    assert.equal(silent.kind, "timeout");
    agent.onRequest = (exchange) => void exchange.head(200).lines({ columns: ["a"] });
    assert.equal((await failure(client({ timeoutMs: 100 }).query("S"))).kind, "timeout");
    assert.equal((await failure(client({ timeoutMs: 100 }).ping())).kind, "timeout");
    assert.ok(performance.now() - began < 4000);
    // An address of the documentation's network: nothing answers there, not even a refusal.
    const nowhere = client({ url: "http://192.0.2.1:9", connectTimeoutMs: 100, timeoutMs: 3000 });
    const connecting = performance.now();
    assert.equal((await failure(nowhere.ping())).kind, "unreachable");
    assert.ok(performance.now() - connecting < 2000);
  });

  it("ends at once when its caller does not want it any more, with the caller's reason", async () => {
    const why = new Error("enough");
    const stop = new AbortController();
    const query = client().query("S", { signal: stop.signal });
    const { closed: before } = await agent.next();
    assert.equal(before, false);
    stop.abort(why);
    await assert.rejects(query, why);
    await until("the connection is closed", () => agent.exchanges[0]?.closed);
    await assert.rejects(client().query("S", { signal: stop.signal }), why);
    assert.equal(agent.exchanges.length, 1, "nothing is sent for a caller who has left");
  });

  it("writes all or nothing, once, and says when nobody knows the outcome", async () => {
    agent.onRequest = (exchange) =>
      exchange.reply(200, {
        results: [{ rows_affected: 1, time: 0.1 }],
        time: 0.2,
        version: 12,
        actor_id: "ab".repeat(16),
      });
    const done = await client().transact([["INSERT INTO t VALUES (?)", [1]], "DELETE FROM t"]);
    assert.deepEqual([done.version, done.actorId, done.results[0]?.rowsAffected], [12, "ab".repeat(16), 1]);
    assert.equal(agent.exchanges[0]?.body, '[["INSERT INTO t VALUES (?)",[1]],"DELETE FROM t"]');

    agent.onRequest = (exchange) =>
      exchange.reply(500, {
        results: [{ error: "rusqlite: UNIQUE constraint failed: t.id (actor_id: None, version: None)" }],
      });
    const refused = await failure(client().transact(["S"]));
    assert.deepEqual(
      [refused.kind, refused.message, refused.mayHaveCommitted],
      ["sql", "UNIQUE constraint failed: t.id", false],
    );

    const unknown = "the writing process ended; whether the transaction was committed is not known";
    const silences = [
      (exchange: Exchange) => exchange.cut(),
      () => undefined,
      (exchange: Exchange) =>
        exchange.reply(500, {
          results: [{ error: `rusqlite: ${unknown} (actor_id: None, version: None)` }],
        }),
    ];
    for (const trouble of silences) {
      agent.onRequest = trouble;
      const lost = await failure(client({ timeoutMs: 200 }).transact(["S"]));
      assert.equal(lost.mayHaveCommitted, true);
      assert.match(lost.message, /whether the transaction was committed is not known/);
    }
    assert.equal(agent.exchanges.length, 5, "a transaction is never tried again");
    const nobody = await failure(client({ url: `http://127.0.0.1:${await freePort()}` }).transact(["S"]));
    assert.deepEqual([nobody.kind, nobody.mayHaveCommitted], ["unreachable", false]);
  });

  it("opens, resumes and closes streams", async () => {
    agent.onRequest = (exchange) =>
      void exchange
        .subscribed("id-1")
        .lines({ columns: ["a"] }, { eoq: { time: 1, change_id: 4 } }, { change: ["delete", 1, ["x"], 5] });
    const opened = await client({ timeoutMs: 300 }).subscribe(["SELECT a FROM t WHERE a > ?", [1]]);
    assert.deepEqual([opened.id, opened.hash], ["id-1", "0123456789abcdef"]);
    const heard: string[] = [];
    setTimeout(() => opened.close(), 400);
    await assert.rejects(async () => {
      for await (const event of opened.events) heard.push(event.kind);
    }, /closed here/);
    assert.deepEqual(heard, ["columns", "eoq", "change"], "a stream outlives the time limit of its head");

    const resumed = await client().resume("id-1", { from: 5, skipRows: false });
    for await (const _ of resumed.events) break;
    assert.equal(agent.exchanges[1]?.path, "/v1/subscriptions/id-1?from=5&skip_rows=false");
    await until("a loop that is left closes its connection", () => agent.exchanges[1]?.closed);

    const unread = await client().subscribe("S");
    unread.close();
    await until("a stream that nobody reads can be closed", () => agent.exchanges[2]?.closed);

    agent.onRequest = (exchange) =>
      exchange
        .subscribed("u")
        .lines({ notify: ["update", ["k", 1]] }, { notify: ["delete", [[1]]] })
        .end();
    const updates = await client().updates("my table");
    assert.deepEqual(await all(updates.events), [
      { kind: "notify", change: "update", key: ["k", 1] },
      { kind: "notify", change: "delete", key: [Uint8Array.of(1)] },
    ]);
    assert.equal(agent.exchanges[3]?.path, "/v1/updates/my%20table");
  });

  it("refuses streams that the agent does not open, each with its reason", async () => {
    agent.onRequest = (exchange) => exchange.reply(404, { error: "could not find subscription with id x" });
    assert.equal((await failure(client().resume("x", { from: 1 }))).kind, "unknown_subscription");
    agent.onRequest = (exchange) => exchange.reply(400, { error: "table not found in schema: x" });
    assert.equal((await failure(client().updates("x"))).kind, "sql");
    agent.onRequest = (exchange) => exchange.head(200).lines({ columns: [] }).end();
    assert.equal((await failure(client().subscribe("S"))).kind, "protocol");
    agent.onRequest = () => undefined;
    assert.equal((await failure(client({ timeoutMs: 100 }).subscribe("S"))).kind, "timeout");
  });

  it("asks for the rows of each table by itself, and for health", async () => {
    agent.onRequest = (exchange) => {
      const { tables } = JSON.parse(exchange.body) as { tables: string[] };
      exchange.reply(200, {
        total_row_count: tables[0] === "a" ? 3 : 0,
        invalid_tables: tables.filter((t) => t !== "a"),
      });
    };
    assert.deepEqual(
      [...(await client().tableStats(["a", "b"]))],
      [
        ["a", 3],
        ["b", null],
      ],
    );
    agent.onRequest = (exchange) => exchange.reply(503, { error: "no p99 lag information available" });
    assert.deepEqual(await client().health(), { kind: "quiet", program: null });
    agent.onRequest = (exchange) => exchange.reply(401, "");
    assert.equal((await failure(client().health())).kind, "unauthorized");
  });

  it("never shows credentials of the address either", async () => {
    const port = await freePort();
    const error = await failure(client({ url: `http://user:${TOKEN}@127.0.0.1:${port}` }).ping());
    assert.equal(
      error.message,
      `nothing listens at 127.0.0.1:${port}: the agent does not run, or has another address`,
    );
  });
});
