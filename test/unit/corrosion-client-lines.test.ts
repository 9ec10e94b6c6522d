/** @module What a client reads from an agent's bytes: lines, numbers, events; and what it writes. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { readHealth, readTableStats, readTransaction } from "../../lib/corrosion/client/answers.ts";
import { AgentError, errorOfAnswer } from "../../lib/corrosion/client/errors.ts";
import { BadLine, OldLine, parseEvent, parseUpdate } from "../../lib/corrosion/client/events.ts";
import { parseJson } from "../../lib/corrosion/client/json.ts";
import { InvalidText, LineDecoder, LineTooLong } from "../../lib/corrosion/client/ndjson.ts";
import { encodeStatement, InvalidParam } from "../../lib/corrosion/client/statement.ts";

/** The bytes in chunks that end at the given places. */
function cut(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const ends = [...new Set([...at.map((n) => n % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  return ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end));
}

describe("Lines of a stream", () => {
  it("are the same wherever its chunks end, also inside a character", () => {
    const line = fc
      .string({ unit: "binary", maxLength: 30 })
      .filter((text) => text.isWellFormed() && !text.includes("\n") && text.trim() !== "");
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat()), fc.boolean(), (lines, cuts, closed) => {
        const bytes = Buffer.from(lines.join("\n") + (closed ? "\n" : ""));
        const decoder = new LineDecoder();
        const found = cut(bytes, cuts).flatMap((chunk) => decoder.push(chunk));
        assert.deepEqual([...found, ...decoder.end()], lines);
      }),
      { numRuns: 500 },
    );
  });

  it("are given as soon as they are whole", () => {
    const decoder = new LineDecoder();
    assert.deepEqual(decoder.push(Buffer.from('{"a":1}\n{"b"')), ['{"a":1}']);
    assert.deepEqual(decoder.push(Buffer.from(":2}\n\n  \n")), ['{"b":2}']);
    assert.deepEqual(decoder.end(), []);
  });

  it("are refused when they are too long, or no UTF-8", () => {
    const small = new LineDecoder(10);
    assert.deepEqual(small.push(Buffer.from("1234567890\n12345")), ["1234567890"]);
    assert.throws(() => small.push(Buffer.from("678901")), LineTooLong);
    assert.throws(() => new LineDecoder().push(Uint8Array.of(0xff)), InvalidText);
    const halved = new LineDecoder();
    halved.push(Buffer.from("ä").subarray(0, 1));
    assert.throws(() => halved.end(), InvalidText);
  });
});

describe("Numbers from an agent", () => {
  it("keep all 64 bits of an integer", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (n) => {
        const parsed = parseJson(`{"a":[${n},"${n}"]}`) as { a: [number | bigint, string] };
        assert.equal(BigInt(parsed.a[0]), n);
        assert.equal(typeof parsed.a[0], Number.isSafeInteger(Number(n)) ? "number" : "bigint");
        assert.equal(parsed.a[1], String(n));
      }),
    );
  });

  it("stay reals when they are reals, however large", () => {
    assert.deepEqual(parseJson("[1e16,12345678901234567000.0,9007199254740993]"), [
      1e16,
      12345678901234567000,
      9007199254740993n,
    ]);
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (x) => {
        const text = /[.e]/.test(String(x)) ? String(x) : `${x}.0`;
        assert.equal(parseJson(`[${text}]`)?.[0 as never], x + 0);
      }),
    );
  });
});

describe("Parameters for an agent", () => {
  it("keep their type and value", () => {
    const cases: [Parameters<typeof encodeStatement>[0], string][] = [
      ["SELECT 1", '"SELECT 1"'],
      [["?", [null, true, 1, -5n, 1.5, "a'\"\\\n"]], '["?",[null,true,1,-5,1.5,"a\'\\"\\\\\\n"]]'],
      [
        ["?", [2n ** 63n - 1n, 1e300, 1e20, { real: 1 }, { real: -0 }]],
        '["?",[9223372036854775807,1e+300,100000000000000000000.0,1.0,-0.0]]',
      ],
      [["?", [Uint8Array.of(0, 255), new Uint8Array()]], '["?",[[0,255],[]]]'],
      [[":a", { ":a": "x", "@b": 1 }], '[":a",{":a":"x","@b":1}]'],
    ];
    for (const [statement, json] of cases) assert.equal(encodeStatement(statement), json);
  });

  it("are refused where SQLite would keep something else", () => {
    for (const value of [
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2n ** 63n,
      -(2n ** 63n) - 1n,
      { real: Number.NaN },
    ]) {
      assert.throws(() => encodeStatement(["?", [value]]), InvalidParam);
    }
  });

  it("come back as they went, all texts and numbers", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.string({ unit: "binary" }),
            fc.integer(),
            fc.double({ noNaN: true, noDefaultInfinity: true }),
          ),
        ),
        (values) => {
          const [, params] = JSON.parse(encodeStatement(["?", values])) as [string, unknown[]];
          assert.deepEqual(params, values);
        },
      ),
    );
  });
});

describe("A line of a query or subscription", () => {
  it("is an event of its own type", () => {
    assert.deepEqual(parseEvent('{"columns":["a","b"]}'), { kind: "columns", columns: ["a", "b"] });
    assert.deepEqual(parseEvent('{"row":[1,[null,1,1.5,"x",[0,255],9007199254740993]]}'), {
      kind: "row",
      rowId: 1,
      cells: [null, 1, 1.5, "x", Uint8Array.of(0, 255), 9007199254740993n],
    });
    assert.deepEqual(parseEvent('{"eoq":{"time":5e-8}}'), { kind: "eoq", seconds: 5e-8, changeId: null });
    assert.deepEqual(parseEvent('{"eoq":{"time":0.1,"change_id":0}}'), {
      kind: "eoq",
      seconds: 0.1,
      changeId: 0,
    });
    for (const change of ["insert", "update", "delete"]) {
      assert.deepEqual(parseEvent(`{"change":["${change}",7,["x"],3]}`), {
        kind: "change",
        change,
        rowId: 7,
        cells: ["x"],
        changeId: 3,
      });
    }
    assert.deepEqual(parseEvent('{"error":"no"}'), { kind: "error", message: "no" });
    assert.deepEqual(parseUpdate('{"notify":["delete",["k",1]]}'), {
      kind: "notify",
      change: "delete",
      key: ["k", 1],
    });
    assert.deepEqual(parseUpdate('{"error":"no"}'), { kind: "error", message: "no" });
  });

  it("is refused when it is anything else", () => {
    for (const line of [
      ...["", "x", "1", "null", "[]", "{}", '"row"', '{"row":[1,[1]],"x":1}', '{"toString":[]}'],
      ...['{"row":[1]}', '{"row":["1",[1]]}', '{"row":[1,1]}', '{"row":[1,[{}]]}', '{"row":[1,[true]]}'],
      ...['{"row":[1,[[256]]]}', '{"row":[1,[["x"]]]}', '{"row":[-1,[]]}', '{"row":[1.5,[]]}'],
      ...['{"change":["upsert",1,[],1]}', '{"change":["insert",1,[],9007199254740993]}', '{"change":[]}'],
      ...[
        '{"columns":[1]}',
        '{"columns":"a"}',
        '{"eoq":{}}',
        '{"eoq":null}',
        '{"error":1}',
        '{"row":[1,[1]]',
      ],
    ]) {
      assert.throws(() => parseEvent(line), BadLine, line);
    }
    for (const line of ['{"notify":["insert",[1]]}', '{"notify":[1]}', '{"row":[1,[1]]}']) {
      assert.throws(() => parseUpdate(line), BadLine, line);
    }
    fc.assert(
      fc.property(fc.json(), (line) => {
        try {
          parseEvent(line);
        } catch (error) {
          assert.ok(error instanceof BadLine);
        }
      }),
    );
  });

  it("of an agent before 1.0 is told apart", () => {
    assert.throws(() => parseEvent('{"change":["insert",1,["x"]]}'), OldLine);
  });
});

describe("An answer other than success", () => {
  const kind = (status: number, body: string, path = "/v1/queries") =>
    errorOfAnswer("h:1", path, status, body);

  it("has its kind", () => {
    const cases: [number, string, string, string?][] = [
      [401, "", "unauthorized"],
      [421, "", "wrong_node"],
      [503, "max concurrency limit reached", "overloaded"],
      [503, "something else", "protocol"],
      [400, '{"error":"no such table: x"}', "sql"],
      [500, '{"error":"Wrong number of parameters passed to query. Got 1, needed 2"}', "sql"],
      [500, '{"results":[{"error":"rusqlite: x (actor_id: None, version: None)"}],"time":0}', "sql"],
      [
        404,
        '{"error":"could not find subscription with id x"}',
        "unknown_subscription",
        "/v1/subscriptions/x?from=1",
      ],
      [404, "", "protocol"],
      [415, "Expected request with `Content-Type: application/json`", "protocol"],
      [422, "data did not match any variant of untagged enum Statement", "protocol"],
      [400, "a bad header", "protocol"],
      [302, "", "protocol"],
    ];
    for (const [status, body, expected, path] of cases) {
      const error = kind(status, body, path);
      assert.equal(error.kind, expected, `${status} ${body}`);
      assert.equal(error.status, status);
      assert.doesNotMatch(error.message, /\n/);
    }
  });

  it("says what SQLite said, without the agent's frame", () => {
    const body =
      '{"results":[{"error":"rusqlite: UNIQUE constraint failed: t.id (actor_id: None, version: None)"}]}';
    assert.equal(kind(500, body).message, "UNIQUE constraint failed: t.id");
  });
});

describe("A JSON answer", () => {
  const refusal = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      if (error instanceof AgentError) return error.kind;
      throw error;
    }
    return "none";
  };

  it("to a transaction gives its results, or is refused", () => {
    const body =
      '{"results":[{"rows_affected":2,"time":0.5}],"time":1,"version":9007199254740993,"actor_id":"ab"}';
    assert.deepEqual(readTransaction(parseJson(body)), {
      results: [{ rowsAffected: 2, seconds: 0.5 }],
      version: 9007199254740993n,
      actorId: "ab",
    });
    const kinds = {
      '{"results":[{"rows_affected":1,"time":0},{"error":"x"}],"time":1,"version":1,"actor_id":"ab"}':
        "too_old",
      '{"results":[],"time":1}': "too_old",
      '{"results":[],"actor_id":"ab"}': "protocol",
      "[]": "protocol",
      '{"results":[1]}': "protocol",
    };
    for (const [text, expected] of Object.entries(kinds)) {
      assert.equal(
        refusal(() => readTransaction(parseJson(text))),
        expected,
        text,
      );
    }
  });

  it("of health tells a quiet agent from a failing one", () => {
    const numbers = '{"gaps":1,"members":2,"p99_lag":0.1,"queue_size":0}';
    const read = { gaps: 1, members: 2, p99Lag: 0.1, queueSize: 0 };
    assert.deepEqual(readHealth(`{"response":${numbers}}`, true), {
      kind: "ok",
      numbers: read,
      program: null,
    });
    assert.deepEqual(readHealth('{"error":"no p99 lag information available","agent":"x"}', false), {
      kind: "quiet",
      program: "x",
    });
    assert.deepEqual(readHealth(`{"response":${numbers}}`, false), {
      kind: "failing",
      numbers: read,
      reason: "a figure is beyond its limit",
      program: null,
    });
    assert.equal(readHealth('{"error":"disk"}', false)?.kind, "failing");
    for (const text of ["max concurrency limit reached", "{}", "[]", '{"response":{}}']) {
      assert.equal(readHealth(text, false), null);
    }
  });

  it("of table_stats knows which table is unknown", () => {
    assert.equal(readTableStats({ total_row_count: 3, invalid_tables: [] }, "t"), 3);
    assert.equal(readTableStats({ total_row_count: 0, invalid_tables: ["t"] }, "t"), null);
    assert.equal(
      refusal(() => readTableStats({}, "t")),
      "protocol",
    );
  });
});
