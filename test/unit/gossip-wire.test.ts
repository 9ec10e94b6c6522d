/** @module Gossip's frames, messages and addresses: what is written is read back, and nonsense is refused. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseAddress, parseBootstrap } from "../../corrosion/embedded/gossip/addresses.ts";
import { FrameReader, frame } from "../../corrosion/embedded/gossip/frames.ts";
import { decode, encode, type Message, PROTOCOL } from "../../corrosion/embedded/gossip/wire.ts";
import type { Change, Chunk } from "../../corrosion/embedded/replication.ts";
import type { SqlValue } from "../../corrosion/embedded/values.ts";
import { formatHostPort } from "../../lib/host-port.ts";

const ID = "0123456789abcdef0123456789abcdef";
/** Objects as `JSON.parse` makes them. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record<T>(model, { noNullPrototype: true });
const i64 = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);
const positive = fc.bigInt(1n, 2n ** 63n - 1n);
const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Uint8Array.from(array));
const value: fc.Arbitrary<SqlValue> = fc.oneof(
  fc.constant(null),
  i64,
  fc.double({ noNaN: true }),
  fc.string({ unit: "binary" }),
  bytes,
);
const change = (seq: number): fc.Arbitrary<Change> =>
  record({
    table: fc.string(),
    pk: bytes,
    cid: fc.string(),
    val: value,
    colVersion: positive,
    cl: positive,
    seq: fc.constant(seq),
  });
const chunk: fc.Arbitrary<Chunk> = fc
  .tuple(fc.nat(20), fc.nat(5), fc.nat(5), positive, fc.bigInt(0n, 2n ** 64n - 1n))
  .chain(([startSeq, more, rest, version, ts]) =>
    fc.tuple(...Array.from({ length: more + 1 }, (_, i) => change(startSeq + i))).map((changes) => ({
      origin: ID,
      version,
      ts,
      startSeq,
      endSeq: startSeq + more,
      lastSeq: startSeq + more + rest,
      changes,
    })),
  );
const ranges = fc.array(fc.tuple(fc.bigInt(1n, 1000n), fc.bigInt(0n, 5n)), { maxLength: 5 }).map((list) => {
  let next = 0n;
  return list.map(([skip, length]) => {
    const start = next + skip;
    next = start + length;
    return { start, end: next };
  });
});
const message: fc.Arbitrary<Message> = fc.oneof(
  record({
    t: fc.constant("hello" as const),
    actor: fc.constant(ID),
    instance: fc.uuid(),
    dial: fc.nat(),
    address: fc.constantFrom("127.0.0.1:1", "[::1]:8787", "a.internal:65535"),
    cluster: fc.nat(65_535),
    member: fc.option(fc.nat(65_535)),
  }),
  record({
    t: fc.constant("members" as const),
    n: fc.nat(),
    records: fc.array(
      record({
        id: fc.constant(ID),
        address: fc.constant("127.0.0.1:1"),
        ts: fc.bigInt(0n, 2n ** 63n - 1n),
        memberId: fc.option(fc.nat(65_535)),
        incarnation: fc.nat(),
        state: fc.constantFrom("Alive" as const, "Suspect" as const, "Down" as const),
        beat: fc.nat(),
      }),
      { maxLength: 4 },
    ),
  }),
  record({ t: fc.constant("push" as const), chunks: fc.array(chunk, { maxLength: 3 }) }),
  record({ t: fc.constant("give" as const), id: fc.nat(), chunks: fc.array(chunk, { maxLength: 3 }) }),
  record({
    t: fc.constant("holds" as const),
    holds: ranges.map((lacks) => new Map([[ID, { head: 2n ** 63n - 1n, lacks }]])),
  }),
  record({
    t: fc.constant("ask" as const),
    id: fc.nat(),
    wants: ranges.map((list) =>
      list.map((versions, i) => ({
        origin: ID,
        versions,
        seqs: i === 0 ? ([[0, 4]] as [number, number][]) : null,
      })),
    ),
  }),
  record({ t: fc.constant("empty" as const), id: fc.nat(), origin: fc.constant(ID), versions: ranges }),
  record({ t: fc.constantFrom("done" as const), id: fc.nat() }),
  record({ t: fc.constantFrom("pong" as const), n: fc.nat() }),
  record({ t: fc.constant("refuse" as const), reason: fc.string() }),
);

describe("a message of gossip", () => {
  it("is read back as it was written, with 64-bit integers, infinities, signed zeros, blobs and odd texts", () => {
    fc.assert(
      fc.property(message, (sent) => {
        const encoded = encode(sent);
        assert.deepEqual(decode(Buffer.from(encoded)), sent);
      }),
      { numRuns: 1000 },
    );
    for (const val of [-0, 0, Infinity, -Infinity, 1e308, 2n ** 63n - 1n, -(2n ** 63n), "\ud800"]) {
      const sent: Message = { t: "push", chunks: [oneChange({ val })] };
      assert.deepEqual(decode(Buffer.from(encode(sent))), sent);
    }
  });

  it("names the protocol in its hello, and what speaks another is told apart", () => {
    const hello: Message = {
      t: "hello",
      actor: ID,
      instance: "i",
      dial: 1,
      address: "h:1",
      cluster: 0,
      member: null,
    };
    assert.match(encode(hello), /"protocol":"fleetport-embedded-gossip\/1"/);
    const other = encode(hello).replace(PROTOCOL, "another/7");
    assert.throws(() => decode(Buffer.from(other)), {
      name: "NotOurs",
      message: `it speaks "another/7", not ${PROTOCOL}`,
    });
  });

  it("is refused when any part of it is not as it must be", () => {
    const good = JSON.stringify({
      t: "push",
      chunks: [[ID, "1", "1", 0, 0, 0, [["t", "AQ==", "c", null, "1", "1", 0]]]],
    });
    assert.equal(decode(Buffer.from(good)).t, "push");
    const bad: string[] = [
      "",
      "nonsense",
      "[]",
      "null",
      "7",
      "{}",
      '{"t":"nothing"}',
      '{"t":"done"}',
      '{"t":"done","id":-1}',
      '{"t":"done","id":1.5}',
      good.replace(ID, ID.toUpperCase()),
      good.replace(ID, "x"),
      good.replace('"1","1",0,0,0', '"0","1",0,0,0'),
      good.replace('"1","1",0,0,0', '"9223372036854775808","1",0,0,0'),
      good.replace('"1","1",0,0,0', '1,"1",0,0,0'),
      good.replace('"1","1",0,0,0', '"1","1",1,0,0'),
      good.replace('"1","1",0,0,0', '"1","1",0,1,0'),
      good.replace('"AQ=="', '"*"'),
      good.replace('"c",null', '"c",5'),
      good.replace('"c",null', '"c",["i",5]'),
      good.replace('"c",null', '"c",["i","9223372036854775808"]'),
      good.replace('"c",null', '"c",["r","NaN"]'),
      good.replace('"c",null', '"c",["z","1"]'),
      good.replace('"c",null', '"c",{}'),
      good.replace('"1","1",0]]', '"1","1",1]]'),
      JSON.stringify({ t: "ask", id: 1, wants: [[ID, ["1", "9223372036854775807"], null]] }),
      JSON.stringify({ t: "ask", id: 1, wants: [[ID, ["5", "4"], null]] }),
      JSON.stringify({
        t: "holds",
        holds: [
          [
            ID,
            "9",
            [
              ["5", "6"],
              ["6", "7"],
            ],
          ],
        ],
      }),
      JSON.stringify({
        t: "members",
        n: 1,
        records: [
          { id: ID, address: "no address", ts: "1", memberId: null, incarnation: 0, state: "Alive", beat: 0 },
        ],
      }),
      JSON.stringify({
        t: "members",
        n: 1,
        records: [
          { id: ID, address: "h:1", ts: "1", memberId: null, incarnation: 0, state: "Fine", beat: 0 },
        ],
      }),
    ];
    for (const text of bad) assert.throws(() => decode(Buffer.from(text)), { name: "NotOurs" }, text);
    assert.throws(() => decode(Buffer.from([0x22, 0xff, 0x22])), { name: "NotOurs" });
  });

  it("is refused, and nothing worse, whatever bytes come", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json().map((text) => Buffer.from(text)),
          fc.uint8Array(),
        ),
        (noise) => {
          try {
            decode(noise);
          } catch (error) {
            assert.equal(error instanceof Error && error.name, "NotOurs");
          }
        },
      ),
    );
  });
});

describe("frames", () => {
  it("come out as they went in, wherever the stream is cut", () => {
    const bodies = fc.array(fc.string({ minLength: 1, unit: "binary" }), { maxLength: 6 });
    fc.assert(
      fc.property(bodies, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (texts, cuts) => {
        const stream = Buffer.concat(texts.map(frame));
        const reader = new FrameReader(1000);
        const out: string[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const end = at + cuts[i % cuts.length]!;
          reader.push(stream.subarray(at, end));
          at = end;
          for (let body = reader.next(); body !== null; body = reader.next()) out.push(body.toString());
        }
        assert.deepEqual(
          out,
          texts.map((text) => Buffer.from(text).toString()),
        );
        assert.ok(!reader.pending);
      }),
    );
  });

  it("that are empty or too long are refused by their header alone", () => {
    const reader = new FrameReader(10);
    reader.push(frame("0123456789"));
    assert.equal(reader.next()?.toString(), "0123456789");
    reader.push(Buffer.from([0, 0, 0, 11]));
    assert.throws(() => reader.next(), {
      name: "BadFrame",
      message: "a frame of 11 bytes, and 10 are the most",
    });
    const empty = new FrameReader(10);
    empty.push(Buffer.alloc(4));
    assert.throws(() => empty.next(), { name: "BadFrame" });
  });
});

describe("a gossip address", () => {
  it("is host:port, [ipv6]:port or a name, port 4001 when left out, with a DNS server behind @", () => {
    const cases = {
      "127.0.0.1:8787": ["127.0.0.1", 8787, null],
      "127.0.0.1": ["127.0.0.1", 4001, null],
      "[::1]:9": ["::1", 9, null],
      "[fdaa::3]": ["fdaa::3", 4001, null],
      "::1": ["::1", 4001, null],
      "my-app.internal:8787": ["my-app.internal", 8787, null],
      "my-app.internal@8.8.8.8:5353": ["my-app.internal", 4001, { host: "8.8.8.8", port: 5353 }],
      "my-app.internal:1@[fdaa::3]": ["my-app.internal", 1, { host: "fdaa::3", port: 53 }],
    } as const;
    for (const [text, [host, port, dns]] of Object.entries(cases)) {
      assert.deepEqual(parseBootstrap(text), { host, port, dns });
    }
    assert.equal(formatHostPort(parseAddress("[::1]:9")), "[::1]:9");
    assert.equal(formatHostPort(parseAddress("a:9")), "a:9");
  });

  it("that is none is refused in a sentence that names it", () => {
    for (const text of [
      "",
      ":1",
      "a:0",
      "a:65536",
      "a:b",
      "a b:1",
      "[1]:1",
      "[127.0.0.1]:1",
      "a@",
      "a:1:2",
      "-a:1",
    ]) {
      assert.throws(
        () => parseBootstrap(text),
        { name: "GossipUnusable", message: /is no gossip address/ },
        text,
      );
    }
    assert.throws(() => parseAddress("127.0.0.1"), { name: "GossipUnusable" });
  });
});

function oneChange(fields: Partial<Change>): Chunk {
  const only: Change = {
    table: "t",
    pk: Uint8Array.of(1),
    cid: "c",
    val: null,
    colVersion: 1n,
    cl: 1n,
    seq: 0,
    ...fields,
  };
  return { origin: ID, version: 1n, ts: 1n, startSeq: 0, endSeq: 0, lastSeq: 0, changes: [only] };
}
