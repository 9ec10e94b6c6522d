/** @module Anti-entropy's plan: exactly what is missing is asked, once, of somebody who has it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { lowest, setOf, size, upTo, within, without } from "../../corrosion/embedded/gossip/ranges.ts";
import {
  type Holdings,
  headsOf,
  holdingsOf,
  type PeerState,
  type PlanInput,
  plan,
} from "../../corrosion/embedded/gossip/sync-plan.ts";
import type { Known, Range } from "../../corrosion/embedded/replication.ts";

const LIMIT = 40;
const range = (start: number, end = start): Range => ({ start: BigInt(start), end: BigInt(end) });
const versions = fc.uniqueArray(fc.integer({ min: 1, max: LIMIT }), { maxLength: LIMIT });
const asSet = (list: readonly number[]): readonly Range[] => setOf(list.map((version) => range(version)));

function listOf(set: readonly Range[]): number[] {
  return set.flatMap(({ start, end }) =>
    Array.from({ length: Number(end - start) + 1 }, (_, i) => Number(start) + i),
  );
}

describe("sets of versions", () => {
  it("are what sets are", () => {
    fc.assert(
      fc.property(versions, versions, fc.nat(LIMIT), (a, b, n) => {
        const [first, second] = [asSet(a), asSet(b)];
        const sorted = [...a].sort((x, y) => x - y);
        assert.deepEqual(listOf(first), sorted);
        assert.deepEqual(
          listOf(without(first, second)),
          sorted.filter((version) => !b.includes(version)),
        );
        assert.deepEqual(
          listOf(within(first, second)),
          sorted.filter((version) => b.includes(version)),
        );
        assert.deepEqual(
          listOf(upTo(first, BigInt(n))),
          sorted.filter((version) => version <= n),
        );
        assert.deepEqual(listOf(lowest(first, n)), sorted.slice(0, n));
        assert.equal(size(first), BigInt(a.length));
        for (let i = 1; i < first.length; i++) assert.ok(first[i]!.start > first[i - 1]!.end + 1n);
      }),
    );
  });
});

const known = fc
  .record({ head: fc.integer({ min: 0, max: LIMIT }), lacking: versions, partial: versions })
  .map(({ head, lacking, partial }): Known => {
    const parts = partial.filter((version) => version <= head && version % 3 === 0);
    const need = lacking.filter((version) => version <= head && !parts.includes(version));
    return {
      head: BigInt(head),
      need: asSet(need),
      partial: parts.map((version) => ({ version: BigInt(version), missing: [[2, 5]] })),
    };
  });
const knownVersions = fc
  .dictionary(fc.constantFrom("x", "y", "z"), known)
  .map((all) => new Map(Object.entries(all)));
const tried = versions.map((list) => new Map([["x", asSet(list)]]));

const inputs: fc.Arbitrary<PlanInput> = fc.record({
  self: fc.constant("z"),
  own: knownVersions,
  busy: versions.map((list) => new Map([["y", asSet(list)]])),
  peers: fc
    .array(fc.record({ known: knownVersions, tried, room: fc.constantFrom(0, 3, 1000) }), { maxLength: 4 })
    .map((all) => all.map((peer, i): PeerState => ({ ...peer, id: `p${i}`, holds: holdingsOf(peer.known) }))),
});

const whole = (of: Known | undefined, version: number): boolean =>
  of !== undefined &&
  version <= Number(of.head) &&
  !listOf(of.need).includes(version) &&
  !of.partial.some((part) => Number(part.version) === version);

const holds = (of: Holdings, origin: string, version: number): boolean => {
  const there = of.get(origin);
  return there !== undefined && version <= Number(there.head) && !listOf(there.lacks).includes(version);
};

describe("the plan of anti-entropy", () => {
  it("asks for each version that is missing and may be asked for, once, of one who has it, and for no other", () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const asks = plan(input);
        const asked = new Map<string, string>();
        for (const [id, wants] of asks) {
          const peer = input.peers.find((one) => one.id === id)!;
          for (const want of wants) {
            for (const version of listOf([want.versions])) {
              const key = `${want.origin} ${version}`;
              assert.ok(!asked.has(key), "nothing is asked for twice");
              asked.set(key, id);
              assert.ok(holds(peer.holds, want.origin, version), "who is asked has it");
              assert.ok(
                !listOf(peer.tried.get(want.origin) ?? []).includes(version),
                "and was not asked in vain",
              );
              const own = input.own.get(want.origin);
              const part = own?.partial.find((one) => Number(one.version) === version);
              assert.deepEqual(want.seqs, part?.missing ?? null, "of parts only what is missing");
            }
          }
          const count = wants.reduce((sum, want) => sum + Number(size([want.versions])), 0);
          assert.ok(count <= peer.room);
        }
        for (const origin of ["x", "y", "z"]) {
          for (let version = 1; version <= LIMIT; version++) {
            const key = `${origin} ${version}`;
            const busy = listOf(input.busy.get(origin) ?? []).includes(version);
            const may = origin !== "z" && !busy && !whole(input.own.get(origin), version);
            const able = input.peers.filter(
              (peer) =>
                holds(peer.holds, origin, version) && !listOf(peer.tried.get(origin) ?? []).includes(version),
            );
            if (!may || able.length === 0) assert.ok(!asked.has(key), `${key} is none to be asked for`);
            else if (able.some(({ room }) => room > 500)) assert.ok(asked.has(key), `${key} is missing`);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it("shares a long gap between all who can fill it", () => {
    const everything: Holdings = new Map([["x", { head: 300n, lacks: [] }]]);
    const peers = ["p", "q", "r"].map((id) => ({ id, holds: everything, tried: new Map(), room: 512 }));
    const asks = plan({ self: "z", own: new Map(), peers, busy: new Map() });
    for (const peer of peers) {
      const count = asks.get(peer.id)!.reduce((sum, { versions: of }) => sum + Number(size([of])), 0);
      assert.ok(count >= 98 && count <= 101, `${peer.id} is asked for ${count}`);
    }
  });

  it("knows how far others have heard", () => {
    const p = { holds: new Map([["x", { head: 3n, lacks: [] }]]) };
    const q = {
      holds: new Map([
        ["x", { head: 5n, lacks: [range(5)] }],
        ["y", { head: 1n, lacks: [] }],
      ]),
    };
    assert.deepEqual(
      headsOf([p, q]),
      new Map([
        ["x", 5n],
        ["y", 1n],
      ]),
    );
  });

  it("tells of a very long list of gaps only so much that what it tells is true", () => {
    const need = Array.from({ length: 10_000 }, (_, i) => range(2 * i + 1));
    const told = holdingsOf(new Map([["x", { head: 20_001n, need, partial: [] }]])).get("x")!;
    assert.equal(told.lacks.length, 4096);
    assert.equal(told.head, 8192n);
    assert.deepEqual(told.lacks, need.slice(0, 4096));
  });
});
