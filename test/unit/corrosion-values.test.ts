/** @module Regions, actor ids, NTP64 and addresses: small values that every part of the console reads alike. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { actorIdOf } from "../../lib/actor-ids.ts";
import { parseJson } from "../../lib/corrosion/client/json.ts";
import { formatHostPort, parseHostPort } from "../../lib/host-port.ts";
import { ntp64Of, ntp64ToMicros } from "../../lib/ntp64.ts";
import { REGIONS, regionOf } from "../../lib/regions.ts";

describe("The region of a node", () => {
  it("is the part before the first dash of its id, when that has 2 to 4 bytes", () => {
    assert.equal(regionOf("ams-3d8d9e0f"), "ams");
    assert.equal(regionOf("us-a-b"), "us");
    assert.equal(regionOf("test-node1"), "test");
    assert.equal(regionOf("é-1"), "é", "two bytes");
    for (const id of ["a-1", "fallback-7", "ams", "", "-1", "ééé-1"])
      assert.equal(regionOf(id), "unknown", id);
  });

  it("is a development node's own, up to node 10", () => {
    for (let n = 1; n <= 10; n++) assert.equal(regionOf(`dev-node${n}`), `dev-node${n}`);
    assert.equal(regionOf("dev-node11"), "dev");
  });

  it("is invalid for what is no text", () => {
    for (const value of [null, undefined, 7, {}, ["ams-1"]]) assert.equal(regionOf(value), "invalid");
  });

  it("has a place on the map, where it is one of Fly's or of development", () => {
    assert.equal(REGIONS.size, 45);
    assert.deepEqual(REGIONS.get("otp"), { code: "otp", name: "Bucharest", lat: 45, lng: 26 });
    assert.deepEqual(REGIONS.get("dev-node2"), {
      code: "dev-node2",
      name: "Yellowknife",
      lat: 62.454,
      lng: -114.3718,
    });
    assert.deepEqual(
      [4, 10].map((n) => REGIONS.get(`dev-node${n}`)?.lng),
      [-30, 90],
    );
    for (const { lat, lng } of REGIONS.values()) assert.ok(Math.abs(lat) <= 90 && Math.abs(lng) <= 180);
  });
});

describe("An actor id", () => {
  it("is the same in all its spellings", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const hex = Buffer.from(bytes).toString("hex");
        const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
        for (const spelling of [bytes, [...bytes], hex, hex.toUpperCase(), uuid, uuid.toUpperCase()]) {
          assert.equal(actorIdOf(spelling), uuid);
        }
      }),
    );
  });

  it("is nothing else", () => {
    const short = new Uint8Array(15);
    for (const value of ["", "abc", "z".repeat(32), short, [...short, 256], null, 7, {}]) {
      assert.equal(actorIdOf(value), null);
    }
  });
});

describe("NTP64", () => {
  it("keeps all its 64 bits on the way through JSON", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (ts) => {
        const { ts: read } = parseJson(`{"ts":${ts}}`) as { ts: unknown };
        assert.equal(ntp64Of(read), ts);
        assert.equal(ntp64Of(String(ts)), ts);
      }),
    );
  });

  it("is seconds since 1970 and a fraction, to the microsecond", () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 31 }), fc.nat({ max: 999_999 }), (seconds, micros) => {
        const fraction = (BigInt(micros) << 32n) / 1_000_000n + 1n;
        assert.equal(ntp64ToMicros((BigInt(seconds) << 32n) + fraction), seconds * 1_000_000 + micros);
      }),
    );
  });

  it("is no negative, broken or longer number", () => {
    for (const value of [-1, 1.5, -1n, 2n ** 64n, "1.5", "-1", "", null, Number.NaN]) {
      assert.equal(ntp64Of(value), null);
    }
  });
});

describe("An address", () => {
  it("has one spelling, whatever way an IPv6 address is written", () => {
    const spellings = [
      "[fdaa:0:1:a7b::2]:8787",
      "[FDAA:0000:0001:0a7b:0:0:0:0002]:8787",
      "fdaa:0:1:a7b::2:8787",
    ];
    for (const text of spellings.slice(0, 2)) {
      const parsed = parseHostPort(text);
      assert.deepEqual(parsed, { host: "fdaa:0:1:a7b::2", port: 8787 });
      assert.equal(formatHostPort(parsed!), spellings[0]);
    }
    assert.deepEqual(parseHostPort(spellings[2]!), { host: "fdaa:0:1:a7b::2", port: 8787 });
    assert.deepEqual(parseHostPort("[::ffff:10.0.0.1]:1"), parseHostPort("[::ffff:a00:1]:1"));
    assert.deepEqual(parseHostPort("[fe80::1%eth0]:1"), { host: "fe80::1%eth0", port: 1 });
  });

  it("survives being written and read again", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV6(), fc.ipV4(), fc.domain()), fc.nat({ max: 65_535 }), (host, port) => {
        const parsed = parseHostPort(formatHostPort({ host, port }));
        assert.ok(parsed, `${host}:${port}`);
        assert.deepEqual(parseHostPort(formatHostPort(parsed)), parsed);
        assert.equal(parsed.port, port);
      }),
    );
  });

  it("is nothing without a port, or with a broken one", () => {
    for (const text of ["", "host", ":1", "host:", "host:65536", "[::1]", "[host]:1", "a b:1", "host:1x"]) {
      assert.equal(parseHostPort(text), null, text);
    }
  });
});
