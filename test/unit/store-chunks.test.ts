/** @module A version cut into chunks: every change once, every seq in exactly one chunk. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Change } from "../../corrosion/embedded/replication.ts";
import { cutChunks } from "../../corrosion/embedded/store/chunks.ts";

const version = { origin: "09".repeat(16), version: 3n, ts: 7n };
const change = (seq: number, size: number): Change => ({
  table: "t",
  pk: Uint8Array.of(1, 1),
  cid: "a",
  val: "x".repeat(size),
  colVersion: 1n,
  cl: 1n,
  seq,
});

describe("the chunks of a version", () => {
  it("have every change once, cover all seqs, and keep changes of one seq together", () => {
    // Seqs have holes where changes were overwritten, and may stand twice.
    const steps = fc.array(fc.record({ ahead: fc.nat(3), size: fc.nat(400) }), { minLength: 1 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 2000 }), (sizes, maxBytes) => {
        let seq = -1;
        const changes = sizes.map(({ ahead, size }) => {
          seq = Math.max(0, seq + ahead);
          return change(seq, size);
        });
        const chunks = cutChunks(version, changes, maxBytes);
        assert.deepEqual(
          chunks.flatMap((chunk) => chunk.changes),
          changes,
        );
        let next = 0;
        for (const { startSeq, endSeq, lastSeq, changes: part, ...rest } of chunks) {
          assert.deepEqual([startSeq, lastSeq, rest], [next, seq, version]);
          assert.ok(part.every((each) => each.seq >= startSeq && each.seq <= endSeq));
          next = endSeq + 1;
        }
        assert.equal(next, seq + 1);
      }),
    );
  });

  it("are about as large as was asked for", () => {
    const changes = Array.from({ length: 100 }, (_, seq) => change(seq, 900));
    const sizes = cutChunks(version, changes, 10_000).map(
      (chunk) =>
        JSON.stringify(chunk.changes, (_key, value: unknown) =>
          typeof value === "bigint"
            ? `${value}`
            : value instanceof Uint8Array
              ? Buffer.from(value).toString("base64")
              : value,
        ).length,
    );
    assert.equal(sizes.length, 10);
    assert.ok(
      sizes.every((size) => size > 8_000 && size < 12_000),
      sizes.join(),
    );
  });
});
