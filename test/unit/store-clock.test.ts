/** @module NTP64 times, and the clock that stamps commits. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { MonotonicClock } from "../../corrosion/embedded/store/monotonic-clock.ts";
import { ntp64, ntp64Ms } from "../../lib/ntp64.ts";

describe("NTP64", () => {
  it("has seconds since 1970 above and fractions below", () => {
    assert.equal(ntp64(0), 0n);
    assert.equal(ntp64(1_500), (1n << 32n) | (1n << 31n));
    assert.equal(ntp64(1_726_000_000_250) >> 32n, 1_726_000_000n);
  });

  it("is a time in milliseconds again", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000_000_000 }), (ms) => {
        assert.ok(Math.abs(ntp64Ms(ntp64(ms)) - ms) < 0.001);
      }),
    );
  });
});

describe("the clock of commits", () => {
  it("never tells a time twice nor goes back, over restarts and rolled back transactions too", () => {
    const step = fc.record({
      wall: fc.nat(5_000),
      outcome: fc.constantFrom("commit", "roll back", "restart"),
    });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        let now = 0;
        let stored = 0n;
        let pending = 0n;
        const start = () =>
          new MonotonicClock(
            () => now,
            stored,
            (limit) => {
              pending = limit;
            },
          );
        let clock = start();
        let last = 0n;
        for (const { wall, outcome } of steps) {
          now = wall;
          pending = stored;
          const told = clock.next();
          if (outcome === "roll back") {
            clock.rolledBack();
            continue;
          }
          assert.ok(told > last);
          last = told;
          clock.committed();
          stored = pending;
          if (outcome === "restart") clock = start();
        }
      }),
    );
  });

  it("stores its limit a few times a second at most", () => {
    let [now, stores] = [1000, 0];
    const clock = new MonotonicClock(
      () => now,
      0n,
      () => {
        stores += 1;
      },
    );
    for (; now < 2000; now += 1) clock.next();
    assert.equal(stores, 4);
  });
});
