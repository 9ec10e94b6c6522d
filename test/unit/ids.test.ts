/** @module Identifiers: generated ones, the rules for callers' ones, and the groups and subjects made of them. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  groupName,
  groupOf,
  isCallerId,
  isSessionId,
  sessionSubject,
  subjectToken,
  uuidv7,
} from "../../lib/ids.ts";

const micros = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 1 });

function bits(id: string): Buffer {
  return Buffer.from(id, "base64url");
}

describe("a generated id", () => {
  it("is a UUIDv7 as 22 base64url characters", () => {
    fc.assert(
      fc.property(micros, fc.uint8Array({ minLength: 10, maxLength: 10 }), (at, random) => {
        const id = uuidv7(at, random);
        assert.match(id, /^[\w-]{22}$/);
        const bytes = bits(id);
        assert.equal(bytes.length, 16);
        assert.equal(bytes.toString("base64url"), id);
        assert.equal(bytes.readUIntBE(0, 6), Math.floor(at / 1000), "unix_ts_ms");
        assert.equal(bytes[6]! >> 4, 7, "version");
        assert.equal(bytes[8]! >> 6, 0b10, "variant");
        const rand = bytes.readUInt16BE(6) & 0x0fff;
        assert.equal(rand, Math.floor(((at % 1000) * 4096) / 1000), "rand_a holds the fraction");
        assert.equal(bytes[8]! & 0x3f, random[0]! & 0x3f);
        assert.deepEqual([...bytes.subarray(9)], [...random.subarray(1, 8)]);
      }),
    );
  });

  it("has bytes that rise from microsecond to microsecond", () => {
    const zeros = new Uint8Array(10);
    const ones = new Uint8Array(10).fill(255);
    fc.assert(
      fc.property(micros, (at) => {
        assert.ok(Buffer.compare(bits(uuidv7(at, ones)), bits(uuidv7(at + 1, zeros))) < 0);
      }),
    );
  });

  it("is never made twice at one time, and can be used as a session id", () => {
    const ids = Array.from({ length: 10_000 }, () => uuidv7(1_767_225_600_000_000));
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(ids.every(isSessionId));
  });
});

describe("a session id of a caller", () => {
  it("is 1 to 64 letters, digits, dashes and underscores", () => {
    for (const id of ["a", "A-z_09", "x".repeat(64), "-", "_"]) assert.ok(isSessionId(id), id);
    const wrong = ["", "x".repeat(65), "a b", "a.b", "a/b", "a*", "a>", "ä", "a\n", "\na", "a\u0000", "😀"];
    for (const id of wrong) assert.ok(!isSessionId(id), JSON.stringify(id));
  });
});

describe("any other id of a caller", () => {
  it("is 1 to 255 bytes of well-formed text without control characters", () => {
    const right = ["a", "user 1", "a.b>*", "ä😀", "x".repeat(255), "ä".repeat(127), "\u00a0", " "];
    for (const id of right) assert.ok(isCallerId(id), JSON.stringify(id));
    const controls = [0, 9, 10, 13, 31, 127, 128, 159].map((code) => `a${String.fromCharCode(code)}b`);
    const wrong = ["", "x".repeat(256), "ä".repeat(128), "\ud83d", "\ude00\ud83d", ...controls];
    for (const id of wrong) assert.ok(!isCallerId(id), JSON.stringify(id));
  });

  it("is measured in bytes of UTF-8", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 12 }), fc.nat(40), (part, times) => {
        const id = part.repeat(times + 1);
        const size = new TextEncoder().encode(id).length;
        const control = /\p{Cc}/u.test(id);
        assert.equal(isCallerId(id), size <= 255 && !control);
      }),
    );
  });
});

describe("the group of a session", () => {
  it("is the first four bytes of SHA-256, big-endian, modulo the number of groups", () => {
    // SHA-256 of "" begins e3b0c442, of "abc" ba7816bf (FIPS 180-4 and its examples).
    assert.equal(groupOf("", 256), 0x42);
    assert.equal(groupOf("abc", 256), 0xbf);
    assert.equal(groupOf("abc", 1), 0);
    assert.equal(groupOf("", 4096), 0xe3b0c442 % 4096);
    assert.equal(groupOf("abc", 1000), 0xba7816bf % 1000);
    assert.equal(groupOf("abc", 7), 0xba7816bf % 7);
  });

  it("spreads sessions evenly", () => {
    const counts = new Array<number>(256).fill(0);
    for (let i = 0; i < 25_600; i++) {
      const group = groupOf(`session-${i}`, 256);
      counts[group] = counts[group]! + 1;
    }
    assert.ok(
      Math.min(...counts) > 50 && Math.max(...counts) < 150,
      `${Math.min(...counts)}..${Math.max(...counts)}`,
    );
  });

  it("has a name of at least three digits", () => {
    assert.deepEqual([0, 17, 255, 4095].map(groupName), ["g000", "g017", "g255", "g4095"]);
  });
});

describe("a bus subject", () => {
  it("never contains what a caller chose", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (id) => {
        assert.match(subjectToken(id), /^[\w-]{22}$/);
        assert.match(sessionSubject(id), /^session\.[\w-]{22}$/);
      }),
    );
  });

  it("is equal for equal ids only", () => {
    const ids = Array.from({ length: 5_000 }, (_, i) => `s${i}`);
    assert.equal(new Set(ids.map(sessionSubject)).size, ids.length);
    assert.equal(sessionSubject("s1"), sessionSubject("s1"));
  });
});
