/** @module The embedded agent's HTTP API: guards, errors, statements, transactions and queries. */
import assert from "node:assert/strict";
import { AGENT_NAME } from "../../corrosion/embedded/version.ts";
import { EmbeddedAgent } from "../helpers/embedded-agent.ts";
import { RawConnection, rawRequest } from "../helpers/raw-http.ts";
import { until } from "../helpers/until.ts";

const NO_STATEMENT = "data did not match any variant of untagged enum Statement";
const JSON_TYPE = { "content-type": "application/json" };

describe("the embedded agent's guards", () => {
  let agent: EmbeddedAgent;
  before(async () => {
    agent = await EmbeddedAgent.start({
      api: `endpoint_name = "here"\n[api.authz]\nbearer-token = "secret"`,
    });
  });
  after(() => agent.stop());
  const get = (path: string, headers: Record<string, string> = {}) => fetch(agent.api + path, { headers });
  const authorization = "Bearer secret";

  for (const path of ["/v1/health", "/v1/nowhere"]) {
    it(`refuse on ${path} a malformed Authorization header with 400, before all else`, async () => {
      for (const wrong of ["secret", "Basic c2VjcmV0", "Bearer"]) {
        const headers = { authorization: wrong, "x-corrosion-requested-endpoint-name": "there" };
        assert.equal((await get(path, headers)).status, 400, wrong);
      }
    });

    it(`refuse on ${path} another endpoint's name with 421 and no body, before the token is looked at`, async () => {
      const answer = await get(path, { "x-corrosion-requested-endpoint-name": "there" });
      assert.deepEqual([answer.status, await answer.text()], [421, ""]);
    });

    it(`let pass on ${path} the token in any spelling of its scheme`, async () => {
      for (const spelled of ["Bearer secret", "bearer secret", "BEARER   secret"]) {
        const { status } = await get(path, { authorization: spelled });
        assert.equal(status, path === "/v1/health" ? 503 : 404, spelled);
      }
    });

    it(`refuse on ${path} a wrong or missing token with 401 and no body`, async () => {
      for (const token of [null, "other", "secret2"]) {
        const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
        const answer = await get(path, headers);
        assert.deepEqual([answer.status, await answer.text()], [401, ""]);
      }
    });
  }

  it("let pass who has the token, and names this endpoint or none", async () => {
    assert.equal((await get("/v1/nowhere", { authorization })).status, 404);
    const named = { authorization: "bearer secret", "x-corrosion-requested-endpoint-name": "here" };
    assert.equal((await get("/v1/nowhere", named)).status, 404);
  });

  it("never show the token in the log", () => assert.ok(!agent.output.includes("secret")));
});

describe("the embedded agent's HTTP API", () => {
  let agent: EmbeddedAgent;
  before(async () => {
    agent = await EmbeddedAgent.start();
  });
  after(() => agent.stop());
  const post = (path: string, body: string, headers: Record<string, string> = JSON_TYPE) =>
    fetch(agent.api + path, { method: "POST", headers, body });

  describe("before a handler", () => {
    it("refuses a malformed Authorization header with 400 even though no token is set", async () => {
      const answer = await post("/v1/queries", `"SELECT 1"`, { ...JSON_TYPE, authorization: "nonsense" });
      assert.equal(answer.status, 400);
      const well = await post("/v1/queries", `"SELECT 1"`, { ...JSON_TYPE, authorization: "Bearer any" });
      assert.equal(well.status, 200);
      await well.text();
    });

    it("answers 404 without a body to unknown paths, migrations among them", async () => {
      for (const path of ["/", "/v1/migrations", "/v1/queries/", "/v1/updates/", "/v1/subscriptions/a/b"]) {
        const answer = await post(path, "[]");
        assert.deepEqual([answer.status, await answer.text()], [404, ""], path);
      }
    });

    it("answers 405 without a body and with allow to a wrong method", async () => {
      for (const [path, allow] of [
        ["/v1/queries", "POST"],
        ["/v1/transactions", "POST"],
        ["/v1/subscriptions", "POST"],
        ["/v1/updates/tests", "POST"],
        ["/v1/table_stats", "POST"],
        ["/v1/health", "GET,HEAD"],
        ["/v1/subscriptions/0", "GET,HEAD"],
      ] as const) {
        const answer = await fetch(agent.api + path, { method: "PUT" });
        assert.deepEqual(
          [answer.status, answer.headers.get("allow"), await answer.text()],
          [405, allow, ""],
          path,
        );
      }
    });

    it("answers 415 when the content type is missing or not JSON, and takes application/*+json", async () => {
      for (const path of ["/v1/queries", "/v1/transactions", "/v1/subscriptions", "/v1/table_stats"]) {
        const answer = await post(path, `"SELECT 1"`, { "content-type": "text/plain" });
        const expected = "Expected request with `Content-Type: application/json`";
        assert.deepEqual([answer.status, await answer.text()], [415, expected]);
      }
      const bare = await rawRequest(
        agent.api,
        'POST /v1/queries HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n"SELECT 1"',
      );
      assert.equal(bare.status, 415);
      for (const type of ["application/vnd.x+json", "application/json; charset=utf-8"]) {
        const answer = await post("/v1/queries", `"SELECT 1"`, { "content-type": type });
        assert.equal(answer.status, 200, type);
        await answer.text();
      }
    });

    it("answers 400 to what is no JSON, in plain text", async () => {
      for (const body of ["", "{", "nope", `"a" "b"`, "[1e999]"]) {
        const answer = await post("/v1/transactions", body);
        assert.equal(answer.status, 400, body);
        assert.match(await answer.text(), /^Failed to parse the request body as JSON: /);
        assert.match(answer.headers.get("content-type") ?? "", /^text\/plain/);
      }
      const broken = await fetch(`${agent.api}/v1/queries`, {
        method: "POST",
        headers: JSON_TYPE,
        body: new Uint8Array([0x22, 0xff, 0x22]),
      });
      assert.equal(broken.status, 400);
    });

    it("answers 422 to JSON of another shape", async () => {
      const prefix = "Failed to deserialize the JSON body into the target type: ";
      for (const body of [`["sql"]`, `["sql",1]`, `{"sql":"SELECT 1"}`, `5`, `["SELECT ?",[{}]]`]) {
        const answer = await post("/v1/queries", body);
        assert.deepEqual([answer.status, await answer.text()], [422, prefix + NO_STATEMENT], body);
      }
      const list = await post("/v1/transactions", `"SELECT 1"`);
      assert.equal(list.status, 422);
      const stats = await post("/v1/table_stats", `{"table":1}`);
      assert.deepEqual([stats.status, await stats.text()], [422, `${prefix}missing field \`tables\``]);
    });

    it("answers 400 to a bad query parameter", async () => {
      for (const [path, query] of [
        ["/v1/transactions", "timeout=x"],
        ["/v1/queries", "timeout=-1"],
        ["/v1/queries", "timeout=1&timeout=2"],
        ["/v1/queries", "timeout=18446744073709551616"],
        ["/v1/subscriptions", "from=x"],
        ["/v1/subscriptions", "skip_rows=1"],
      ] as const) {
        const answer = await post(`${path}?${query}`, `"SELECT 1"`);
        assert.equal(answer.status, 400, query);
        assert.match(await answer.text(), /^Failed to deserialize query string: /);
      }
      const complaints = {
        "gaps=many": "gaps: invalid digit found in string",
        "gaps=": "gaps: cannot parse integer from empty string",
        "p99_lag=": "p99_lag: cannot parse float from empty string",
        "p99_lag=0x10": "p99_lag: invalid float literal",
        "failure_status=70000": "failure_status: number too large to fit in target type",
      };
      for (const [query, complaint] of Object.entries(complaints)) {
        const health = await fetch(`${agent.api}/v1/health?${query}`);
        assert.equal(health.status, 400);
        assert.equal(await health.text(), `Failed to deserialize query string: ${complaint}`);
      }
      assert.equal((await fetch(`${agent.api}/v1/health?p99_lag=inf`)).status, 503);
    });

    it("answers 400 to a subscription id that is no UUID, 404 to one that nobody knows", async () => {
      const id = "0c6f3b1e-8c53-4ff1-9f0b-2f1d5d5f2a11";
      for (const wrong of ["nonsense", `{${id}`, `${id}}`, `urn:uuid:${id.replaceAll("-", "")}`]) {
        assert.equal((await fetch(`${agent.api}/v1/subscriptions/${wrong}`)).status, 400, wrong);
      }
      for (const spelled of [id, id.replaceAll("-", "").toUpperCase(), `{${id}}`, `urn:uuid:${id}`]) {
        const answer = await fetch(`${agent.api}/v1/subscriptions/${spelled}`);
        assert.equal(answer.status, 404);
        assert.equal(answer.headers.get("content-type"), "application/json");
        assert.deepEqual(await answer.json(), { error: `could not find subscription with id ${id}` });
      }
    });

    it("sheds queries once 128 wait for their answers, but not those behind open streams", async () => {
      const endless =
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c WHERE x < 0";
      const stop = new AbortController();
      // A body that never ends keeps a request before its handler; a few more, as a poll may take the place of one.
      const hanging = Array.from({ length: 136 }, () =>
        rawOpen(
          agent.api,
          'POST /v1/queries HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n"',
        ),
      );
      const closers = await Promise.all(hanging);
      try {
        await until("one more is shed", async () => {
          const answer = await post("/v1/queries", `"SELECT 1"`);
          return answer.status === 503 && (await answer.text()) === "max concurrency limit reached";
        });
      } finally {
        for (const close of closers) close();
      }
      await until(
        "queries are taken again",
        async () => (await post("/v1/queries", `"SELECT 1"`)).status === 200,
      );
      const streams = await Promise.all(
        Array.from({ length: 3 }, () =>
          fetch(`${agent.api}/v1/queries`, {
            method: "POST",
            headers: JSON_TYPE,
            body: JSON.stringify(endless),
            signal: stop.signal,
          }),
        ),
      );
      assert.deepEqual(
        streams.map(({ status }) => status),
        [200, 200, 200],
      );
      stop.abort();
    });
  });

  describe("transactions", () => {
    beforeEach(async () => {
      await agent.transact(["DELETE FROM tests", "DELETE FROM tests2"]);
    });

    it("answer with what each statement changed, the version and the actor's id", async () => {
      const { status, body } = await agent.transact([
        ["INSERT INTO tests VALUES (?, ?)", [1, "a"]],
        { query: "INSERT INTO tests VALUES (:id, :text)", named_params: { ":id": 2, ":text": "b" } },
        "UPDATE tests SET text = 'c'",
      ]);
      assert.equal(status, 200);
      assert.deepEqual(
        body.results.map(({ rows_affected }) => rows_affected),
        [1, 1, 2],
      );
      assert.ok(body.results.every(({ time }) => typeof time === "number") && body.time > 0);
      assert.match(body.actor_id, /^[0-9a-f]{32}$/);
      const next = await agent.transact(["INSERT INTO tests VALUES (3, '')"]);
      assert.equal(next.body.version, (body.version ?? 0) + 1);
    });

    it("have a null version when no replicated value changed, though rows count as affected", async () => {
      await agent.transact(["INSERT INTO tests VALUES (1, 'a')"]);
      const { status, body } = await agent.transact(["UPDATE tests SET text = 'a'"]);
      assert.deepEqual([status, body.version, body.results[0]?.rows_affected], [200, null, 1]);
    });

    it("refuse an empty list with 400", async () => {
      const { status, body } = await agent.transact([]);
      assert.equal(status, 400);
      assert.deepEqual([body.results, body.version], [[{ error: "at least 1 statement is required" }], null]);
    });

    const failures: [string, unknown, string][] = [
      ["a key that is there", "INSERT INTO tests VALUES (1, '')", "UNIQUE constraint failed: tests.id"],
      ["an unknown table", "INSERT INTO nowhere VALUES (1)", "no such table: nowhere"],
      ["a SELECT", "SELECT 1", "Execute returned results - did you mean to call query?"],
      [
        "RETURNING",
        "INSERT INTO tests VALUES (9, '') RETURNING id",
        "Execute returned results - did you mean to call query?",
      ],
      [
        "too few parameters",
        ["INSERT INTO tests VALUES (?, ?)", [2]],
        "Wrong number of parameters passed to query. Got 1, needed 2",
      ],
      [
        "too many parameters",
        ["INSERT INTO tests (id) VALUES (?)", [2, 3, 4, 5]],
        "Wrong number of parameters passed to query. Got 2, needed 1",
      ],
      ["two statements in one", "DELETE FROM tests; DELETE FROM tests", "Multiple statements provided"],
      ["an unknown name", ["DELETE FROM tests WHERE id = :a", { ":b": 1 }], "Invalid parameter name: :b"],
    ];
    for (const [what, statement, message] of failures) {
      it(`fail with 500 and keep nothing because of ${what}`, async () => {
        await agent.transact(["INSERT INTO tests VALUES (1, 'first')"]);
        const { status, body } = await agent.transact([
          "INSERT INTO tests2 VALUES (1, 'x')",
          statement,
          "also wrong",
        ]);
        assert.equal(status, 500);
        assert.deepEqual(body.results, [{ error: `rusqlite: ${message} (actor_id: None, version: None)` }]);
        assert.equal(body.version, null);
        assert.match(body.actor_id, /^[0-9a-f]{32}$/);
        assert.deepEqual(await agent.rows("SELECT * FROM tests2"), []);
      });
    }

    it("store integers, reals, text, blobs, booleans and null as what they are", async () => {
      await agent.post("/v1/transactions", []);
      const body =
        `[["INSERT INTO tests2 (id, text) VALUES (1, (SELECT group_concat(typeof(value), ' ') FROM (
        SELECT ? AS value UNION ALL SELECT ? UNION ALL SELECT ? UNION ALL SELECT ? UNION ALL SELECT ? UNION ALL
        SELECT ? UNION ALL SELECT ?)))",[1,1.0,true,null,"t",[1,2],9223372036854775808]]]`.replaceAll(
          "\n",
          " ",
        );
      assert.equal((await post("/v1/transactions", body)).status, 200);
      assert.deepEqual(await agent.rows("SELECT text FROM tests2"), [
        ["integer real integer null text blob real"],
      ]);
    });

    it("take statements of many megabytes", async () => {
      const big = "x".repeat(8 << 20);
      assert.equal((await agent.transact([["INSERT INTO tests VALUES (1, ?)", [big]]])).status, 200);
      assert.deepEqual(await agent.rows("SELECT length(text) FROM tests"), [[big.length]]);
    });
  });

  describe("queries", () => {
    const lines = async (statement: unknown) => {
      const answer = await agent.post("/v1/queries", statement);
      return { answer, text: await answer.text() };
    };

    it("stream columns, rows counted from 1, and eoq, without a content type or an id", async () => {
      const { answer, text } = await lines("SELECT 'a' AS x, 2 AS y UNION ALL SELECT 'b', 3");
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get("content-type"), null);
      assert.equal(answer.headers.get("corro-query-id"), null);
      const [columns, first, second, eoq, end] = text.split("\n");
      assert.equal(columns, `{"columns":["x","y"]}`);
      assert.equal(first, `{"row":[1,["a",2]]}`);
      assert.equal(second, `{"row":[2,["b",3]]}`);
      assert.match(eoq ?? "", /^\{"eoq":\{"time":[0-9.e-]+\}\}$/);
      assert.equal(end, "");
    });

    it("spell every kind of value as the contract says", async () => {
      const { text } = await lines(
        "SELECT NULL, 1, 1.0, 0.1, 1e16, 9e999, 9223372036854775807, -9223372036854775808, 'é\"', x'00ff', x'', 1 = 1",
      );
      const [, row] = text.split("\n");
      assert.equal(
        row,
        `{"row":[1,[null,1,1.0,0.1,1e16,null,9223372036854775807,-9223372036854775808,"é\\"",[0,255],[],1]]}`,
      );
    });

    it("bind parameters by position and by name; a name that is not given is NULL", async () => {
      assert.deepEqual(await agent.rows(["SELECT ?, ?2, typeof(?)", [1, "b", [1]]]), [[1, "b", "blob"]]);
      assert.deepEqual(await agent.rows(["SELECT :a, @b, $c, :a", { ":a": 1, $c: 3 }]), [[1, null, 3, 1]]);
      assert.deepEqual(await agent.rows(["SELECT :a, ?", [1, 2]]), [[1, 2]]);
    });

    const refusals: [string, unknown, number, string][] = [
      ["an unknown table", "SELECT * FROM nowhere", 400, "no such table: nowhere"],
      ["a syntax error", "SELEC 1", 400, 'near "SELEC": syntax error'],
      ["an INSERT", "INSERT INTO tests VALUES (1, '')", 400, "statement is not readonly"],
      ["DDL", "CREATE TABLE x (y)", 400, "statement is not readonly"],
      ["a writing WITH", "WITH a AS (SELECT 1) DELETE FROM tests", 400, "statement is not readonly"],
      ["an explained write", "EXPLAIN QUERY PLAN DELETE FROM tests", 400, "statement is not readonly"],
      ["VACUUM INTO", "VACUUM INTO '/tmp/never'", 400, "statement is not readonly"],
      ["two statements", "SELECT 1; SELECT 2", 400, "Multiple statements provided"],
      [
        "too few parameters",
        ["SELECT ?, ?", [1]],
        500,
        "Wrong number of parameters passed to query. Got 1, needed 2",
      ],
      [
        "too many parameters",
        ["SELECT ?", [1, 2]],
        500,
        "Wrong number of parameters passed to query. Got 2, needed 1",
      ],
      ["an unknown name", ["SELECT :a", { ":b": 1 }], 500, "Invalid parameter name: :b"],
    ];
    for (const [what, statement, status, message] of refusals) {
      it(`refuse ${what} with ${status}`, async () => {
        const { answer, text } = await lines(statement);
        assert.deepEqual([answer.status, text], [status, JSON.stringify({ error: message })]);
        assert.equal(answer.headers.get("content-type"), null);
      });
    }

    it("take a statement with comments and a semicolon behind it", async () => {
      assert.deepEqual(await agent.rows("SELECT 1; -- one\n /* two */ ;"), [[1]]);
      assert.equal((await agent.rows("EXPLAIN QUERY PLAN SELECT 1")).length, 1);
    });

    it("that fail while they run end with an error line and no eoq", async () => {
      const { status, lines: events } = await agent.query(
        "SELECT 1 UNION ALL SELECT abs(-9223372036854775808)",
      );
      assert.equal(status, 200);
      assert.deepEqual(events, [{ columns: ["1"] }, { row: [1, [1]] }, { error: "integer overflow" }]);
    });

    it("leave nothing behind on a connection: BEGIN and ATTACH are over when they are answered", async () => {
      for (let i = 0; i < 4; i++) {
        const { lines: begun } = await agent.query("BEGIN");
        assert.equal(begun.at(-1)?.error, undefined);
      }
      await agent.transact(["INSERT OR REPLACE INTO tests VALUES (77, 'new')"]);
      assert.deepEqual(await agent.rows("SELECT text FROM tests WHERE id = 77"), [["new"]]);
    });

    it("stream 100,000 rows in order and whole", async () => {
      const { lines: events } = await agent.query(
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 100000) SELECT x, 'row ' || x FROM c",
      );
      assert.equal(events.length, 100_002);
      const wrong = events.slice(1, -1).findIndex(({ row }, i) => row?.[0] !== i + 1 || row[1][0] !== i + 1);
      assert.equal(wrong, -1);
    });

    const endless = (signal: AbortSignal) =>
      fetch(`${agent.api}/v1/queries?timeout=0`, {
        method: "POST",
        headers: JSON_TYPE,
        body: JSON.stringify(
          "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x, printf('%.1000c', 'x') FROM c",
        ),
        signal,
      });

    it("end when their clients go: many endless ones leave room for others", async () => {
      for (let i = 0; i < 40; i++) {
        const stop = new AbortController();
        assert.equal((await endless(stop.signal)).status, 200);
        stop.abort();
      }
      assert.deepEqual(await agent.rows("SELECT 1"), [[1]]);
    });

    it("wait for a slow client instead of filling memory, while others are answered", async () => {
      const stop = new AbortController();
      const answer = await endless(stop.signal);
      assert.equal(answer.status, 200);
      const reader = answer.body?.getReader();
      await reader?.read();
      assert.deepEqual(await agent.rows("SELECT 1"), [[1]]);
      stop.abort();
      await assert.rejects(async () => {
        for (;;) await reader?.read();
      });
    });
  });

  describe("table_stats and health", () => {
    it("sum the rows of all valid tables and name the others", async () => {
      await agent.transact([
        "DELETE FROM tests",
        "DELETE FROM tests2",
        "INSERT INTO tests VALUES (1,''),(2,'')",
        "INSERT INTO tests2 VALUES (1,'')",
      ]);
      const answer = await agent.post("/v1/table_stats", {
        tables: ["tests", "nowhere", "tests2", "__corro_members"],
      });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get("content-type"), "application/json");
      assert.deepEqual(await answer.json(), { total_row_count: 3, invalid_tables: ["nowhere"] });
    });

    it("say without remote changes that there is no lag, and who they are", async () => {
      const answer = await fetch(`${agent.api}/v1/health`);
      assert.equal(answer.status, 503);
      assert.deepEqual(await answer.json(), { error: "no p99 lag information available", agent: AGENT_NAME });
      const chosen = await fetch(`${agent.api}/v1/health?failure_status=418`);
      assert.equal(chosen.status, 418);
    });
  });
});

/** Sends a part of a request on a connection of its own; returns what closes it. */
async function rawOpen(base: string, bytes: string): Promise<() => void> {
  const connection = await RawConnection.open(base);
  connection.send(bytes);
  return () => connection.close();
}
