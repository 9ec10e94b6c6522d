/** @module Time: microseconds, their text, and the machine's clock. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { isoMicros, microsOf, systemClock } from "../../lib/clock.ts";

describe("a time", () => {
  it("is written as ISO-8601 UTC with six decimals", () => {
    assert.equal(isoMicros(0), "1970-01-01T00:00:00.000000Z");
    assert.equal(isoMicros(1), "1970-01-01T00:00:00.000001Z");
    assert.equal(isoMicros(Date.UTC(2026, 0, 2, 3, 4, 5, 678) * 1000 + 901), "2026-01-02T03:04:05.678901Z");
    assert.equal(
      isoMicros(Date.UTC(2024, 1, 29, 23, 59, 59, 999) * 1000 + 999),
      "2024-02-29T23:59:59.999999Z",
    );
  });

  it("keeps every microsecond, and later times are greater texts", () => {
    const micros = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(micros, micros, (one, other) => {
        const text = isoMicros(one);
        assert.match(text, /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$/);
        assert.equal(Date.parse(`${text.slice(0, 23)}Z`) * 1000 + Number(text.slice(23, 26)), one);
        assert.equal(text < isoMicros(other), one < other);
        assert.equal(microsOf(text), one);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("a text that is no such time", () => {
  for (const text of [
    "",
    "2026-01-02",
    "2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05.678Z",
    "2026-01-02T03:04:05.678901",
    "2026-01-02T03:04:05.678901+01:00",
    "2026-13-02T03:04:05.678901Z",
    "2026-02-30T03:04:05.678901Z",
    "2026-01-02T24:00:00.000000Z",
    " 2026-01-02T03:04:05.678901Z",
    "now",
  ]) {
    it(JSON.stringify(text), () => assert.equal(microsOf(text), null));
  }
});

describe("the machine's clock", () => {
  it("is the wall clock in whole microseconds", () => {
    for (let i = 0; i < 1000; i++) {
      const now = systemClock();
      assert.ok(Number.isSafeInteger(now));
      assert.ok(Math.abs(now - Date.now() * 1000) < 1_000_000);
    }
  });

  it("follows the wall clock when that is set", () => {
    const { now } = Date;
    try {
      const set = now() + 86_400_000;
      Date.now = () => set;
      assert.equal(systemClock(), set * 1000);
    } finally {
      Date.now = now;
    }
  });
});
