/** @module The bytes of a log entry: what is written is what is read, and what is not understood is refused. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Command, UnknownCommand } from "../../lib/conversation/commands.ts";
import { MAX_COMMANDS } from "../../lib/conversation/state.ts";
import { MAX_ENTRY_BYTES } from "../../services/raft/engine/engine.ts";
import {
  decodeEntry,
  type Entry,
  encodeEntry,
  MAX_BATCH_BYTES,
  UnreadableEntry,
} from "../../services/raft/entry.ts";

const HEADER = { batch: "b1", author: "n1", epoch: 3, digest: [-5, 7] as const };

function encode(commands: readonly unknown[], header: Omit<Entry, "commands"> = HEADER): Uint8Array {
  return encodeEntry(
    header,
    commands.map((command) => JSON.stringify(command)),
  );
}

function bytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
}

const APPEND = {
  t: "append",
  v: 1,
  session: "s",
  id: "m",
  role: "user",
  sender: "u",
  kind: "text",
  content: { text: "ü\u2028\ud83d\ude00" },
  metadata: {},
  at: 1,
} satisfies Command;

const object = fc.dictionary(fc.string(), fc.jsonValue({ depthSize: "small" }), { maxKeys: 4 });
const at = fc.integer({ min: 0, max: 2 ** 52 });
const text = fc.string({ unit: "binary", maxLength: 20 });
const v = fc.constant(1 as const);
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ t: fc.constant("claim" as const), v, epoch: fc.nat(), node: text, at }),
  fc.record({ t: fc.constant("release" as const), v, at }),
  fc.record({
    t: fc.constant("create" as const),
    v,
    session: text,
    user: text,
    agent: text,
    metadata: object,
    at,
  }),
  fc.record(
    {
      t: fc.constant("append" as const),
      v,
      session: text,
      id: text,
      role: fc.constantFrom("user" as const, "agent" as const),
      sender: text,
      kind: text,
      content: object,
      metadata: object,
      key: text,
      expect: fc.nat(),
      at,
    },
    {
      requiredKeys: ["t", "v", "session", "id", "role", "sender", "kind", "content", "metadata", "at"],
    },
  ),
  fc.record({ t: fc.constant("archive" as const), v, session: text, at }),
  fc.record({ t: fc.constant("read" as const), v, session: text, user: text, seq: fc.nat(), at }),
);

describe("a log entry", () => {
  it("is read as it was written", () => {
    const header = fc.record({
      batch: text,
      author: text,
      epoch: fc.nat(),
      digest: fc.tuple(fc.integer(), fc.integer()),
    });
    fc.assert(
      fc.property(header, fc.array(command, { maxLength: 20 }), (head, commands) => {
        // JSON has one zero.
        const plain: unknown = JSON.parse(JSON.stringify({ ...head, commands }));
        assert.deepEqual(JSON.parse(JSON.stringify(decodeEntry(1, 1, encode(commands, head)))), plain);
      }),
      { numRuns: 500 },
    );
  });

  it("is read from the middle of a larger buffer", () => {
    const data = encode([APPEND]);
    const pool = new Uint8Array(data.length + 40).fill(0x5b);
    pool.set(data, 17);
    const entry = decodeEntry(1, 1, pool.subarray(17, 17 + data.length));
    assert.deepEqual(entry, { ...HEADER, digest: [...HEADER.digest], commands: [APPEND] });
  });

  it("fits into what an engine takes, with the longest header and a full batch", () => {
    const header = {
      batch: "b".repeat(64),
      author: "n".repeat(64),
      epoch: Number.MAX_SAFE_INTEGER,
      digest: [-(2 ** 31), -(2 ** 31)] as const,
    };
    assert.ok(encodeEntry(header, ["x".repeat(MAX_BATCH_BYTES)]).length <= MAX_ENTRY_BYTES);
  });

  it("cut anywhere is refused as unreadable", () => {
    const data = encode([APPEND, APPEND]);
    for (let length = 0; length < data.length; length++) {
      assert.throws(() => decodeEntry(1, 1, data.subarray(0, length)), UnreadableEntry);
    }
  });

  it("of other bytes is refused as unreadable", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
        assert.throws(() => decodeEntry(1, 1, data), UnreadableEntry);
      }),
    );
  });

  it("whose text is damaged is refused, not repaired", () => {
    const data = encode([APPEND]);
    const damaged = data.slice();
    damaged[data.indexOf(0xc3)] = 0xff; // the first byte of "ü"
    assert.throws(() => decodeEntry(1, 1, damaged), UnreadableEntry);
    assert.throws(() => decodeEntry(1, 1, Buffer.concat([bytes("\ufeff"), data])), UnreadableEntry);
  });

  it("of another shape is refused as unreadable, and the sentence says which entry it is", () => {
    const good: unknown[] = [1, "b", "n", 1, [0, 0], [APPEND]];
    const wrong: unknown[] = [
      "null",
      "7",
      "{}",
      ...good.map((_, i) => (i === 0 ? [] : good.with(i, null))),
      good.slice(0, 5),
      good.with(3, "1"),
      good.with(4, [0]),
      good.with(4, [0, 0, 0]),
      good.with(4, [0, 0.5]),
      good.with(5, {}),
      good.with(
        5,
        Array.from({ length: MAX_COMMANDS + 1 }, () => APPEND),
      ),
    ];
    for (const value of wrong) {
      assert.throws(
        () => decodeEntry(17, 42, bytes(value)),
        (error) => error instanceof UnreadableEntry && /^group 17: log entry 42 /.test(error.message),
        JSON.stringify(value),
      );
    }
    assert.equal(decodeEntry(17, 42, bytes(good)).commands.length, 1);
  });

  it("of another format is refused, and the sentence asks for a newer version", () => {
    for (const format of [0, 2, "1", null]) {
      assert.throws(
        () => decodeEntry(3, 9, bytes([format, "b", "n", 1, [0, 0], []])),
        (error) =>
          error instanceof UnreadableEntry &&
          error.message.includes(`log entry 9 has format ${format}`) &&
          error.message.includes("run a newer version"),
      );
    }
  });

  it("with an unknown command type or version is refused, and the sentence names both", () => {
    const unknown: [unknown, string][] = [
      [{ t: "merge", v: 1 }, 'command "merge" version 1'],
      [{ ...APPEND, v: 2 }, 'command "append" version 2'],
      [{ ...APPEND, v: "1" }, 'command "append" version 1'],
      [{ ...APPEND, v: undefined }, 'command "append" version undefined'],
      [{ t: "toString", v: 1 }, 'command "toString" version 1'],
      [{ t: "__proto__", v: 1 }, 'command "__proto__" version 1'],
      [{ v: 1 }, 'command "undefined" version 1'],
      [7, 'command "undefined" version undefined'],
      [null, 'command "undefined" version undefined'],
    ];
    for (const [value, named] of unknown) {
      assert.throws(
        () => decodeEntry(1, 1, encode([APPEND, value])),
        (error) =>
          error instanceof UnknownCommand &&
          error.message.includes(named) &&
          error.message.includes("run a newer version"),
        JSON.stringify(value),
      );
    }
  });
});
