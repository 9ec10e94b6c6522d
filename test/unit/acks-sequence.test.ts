/** @module Numbers of messages: none comes twice, whatever the clock and the disk do. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { nextSequence, openSequence, Sequence } from "../../services/acks/messages/sequence.ts";

/** A clock's reading in milliseconds; it may go back as far as it likes. */
const time = fc.integer({ min: 0, max: 4_102_444_800_000 });
type Step = { readonly kind: "send"; readonly now: number } | { readonly kind: "fail" | "restart" };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: time.map((now) => ({ kind: "send" as const, now })) },
  { weight: 2, arbitrary: fc.constant({ kind: "send" as const, now: 1000 }) },
  { weight: 1, arbitrary: fc.constantFrom({ kind: "fail" as const }, { kind: "restart" as const }) },
);

describe("The sequence of a node's messages", () => {
  it("is the time in milliseconds, and one more than the last where the clock is behind", () => {
    assert.equal(nextSequence(0, 1_700_000_000_000), 1_700_000_000_000);
    assert.equal(nextSequence(1_700_000_000_000, 1_700_000_000_000), 1_700_000_000_001);
    assert.equal(nextSequence(1_700_000_000_000, 5), 1_700_000_000_001);
    assert.equal(nextSequence(1_700_000_000_000, 1_700_000_000_009), 1_700_000_000_009);
  });

  it("never repeats a number over sends of one millisecond, clocks set back, failed writes and restarts", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        let disk = 0;
        let full = false;
        const save = async (sequence: number) => {
          await Promise.resolve();
          if (full) throw new Error("no space");
          disk = sequence;
        };
        let sequence = new Sequence(disk, save);
        const given: number[] = [];
        for (const one of steps) {
          if (one.kind === "restart") sequence = new Sequence(disk, save);
          if (one.kind === "fail") full = !full;
          if (one.kind !== "send") continue;
          const next = await sequence.next(one.now).catch(() => null);
          assert.equal(next === null, full);
          if (next === null) continue;
          assert.ok(next >= one.now, `${next} is before its time ${one.now}`);
          assert.ok(disk >= next, "a number was given out before it was saved");
          given.push(next);
        }
        assert.ok(
          given.every((number, i) => i === 0 || number > (given[i - 1] as number)),
          JSON.stringify(given),
        );
      }),
    );
  });

  it("gives those who ask at the same time different numbers, with one write for all who wait", async () => {
    const writes: { readonly value: number; readonly done: () => void }[] = [];
    const save = (value: number) => new Promise<void>((resolve) => writes.push({ value, done: resolve }));
    const sequence = new Sequence(0, save);
    let early = 0;
    const asked = Array.from({ length: 100 }, () => sequence.next(50).finally(() => early++));
    await Promise.resolve();
    assert.deepEqual([writes.length, early], [1, 0]);
    writes[0]?.done();
    await asked[0];
    assert.equal(writes.length, 2);
    writes[1]?.done();
    const numbers = await Promise.all(asked);
    assert.deepEqual(
      numbers,
      Array.from({ length: 100 }, (_, i) => 50 + i),
    );
    assert.deepEqual(
      writes.map(({ value }) => value),
      [50, 149],
    );
  });
});

describe("The file of the sequence", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "seq-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("holds the last number before anybody gets it, and is where the next process goes on", async () => {
    const file = join(folder, "new", "sequence");
    const first = await openSequence(file);
    assert.equal(await first.next(1000), 1000);
    assert.equal(await readFile(file, "utf8"), "1000\n");
    const second = await openSequence(file);
    assert.equal(await second.next(3), 1001);
  });

  it("is refused with a sentence when it holds anything but a number", async () => {
    const file = join(folder, "sequence");
    for (const text of ["", "12", "x\n", "-1\n", "1.5\n", "99999999999999999999\n"]) {
      await writeFile(file, text);
      await assert.rejects(openSequence(file), /holds no sequence number: write the highest/);
    }
  });
});
