/** @module What gossip answers to a question for versions, and what it remembers of refusals. */
import assert from "node:assert/strict";
import { answer } from "../../corrosion/embedded/gossip/answer.ts";
import { Refusals } from "../../corrosion/embedded/gossip/refusals.ts";
import type { Want } from "../../corrosion/embedded/gossip/sync-plan.ts";
import type { Message } from "../../corrosion/embedded/gossip/wire.ts";
import type { Chunk, Held } from "../../corrosion/embedded/replication.ts";

const chunk = (version: bigint, startSeq: number, endSeq: number, lastSeq: number, val = "x"): Chunk => ({
  origin: "o",
  version,
  ts: 1n,
  startSeq,
  endSeq,
  lastSeq,
  changes: [{ table: "t", pk: Uint8Array.of(1), cid: "c", val, colVersion: 1n, cl: 1n, seq: startSeq }],
});

async function answered(
  held: (version: bigint) => Held,
  wants: readonly Want[],
  room = 1000,
): Promise<Message[]> {
  const sent: Message[] = [];
  await answer(7, wants, {
    replication: { held: async (_origin, version) => held(version) },
    chunkBytes: 1000,
    send: async (message) => sent.length < room && sent.push(message) > 0,
  });
  return sent;
}

const want = (start: bigint, end: bigint, seqs: Want["seqs"] = null): Want => ({
  origin: "o",
  versions: { start, end },
  seqs,
});

describe("an answer to a question for versions", () => {
  it("brings what is held, names what is empty, leaves out what is unknown, and says when it is over", async () => {
    const sent = await answered(
      (version) =>
        version <= 20n
          ? { kind: "chunks", chunks: [chunk(version, 0, 0, 0)] }
          : version < 40n
            ? { kind: "empty" }
            : { kind: "unknown" },
      [want(1n, 60n)],
    );
    const chunks = sent.flatMap((message) => (message.t === "give" ? message.chunks : []));
    assert.deepEqual(
      chunks.map(({ version }) => version),
      Array.from({ length: 20 }, (_, i) => BigInt(i + 1)),
    );
    const empty = sent.flatMap((message) => (message.t === "empty" ? message.versions : []));
    assert.deepEqual(empty, [
      { start: 21n, end: 32n },
      { start: 33n, end: 39n },
    ]);
    assert.deepEqual(sent.at(-1), { t: "done", id: 7 });
  });

  it("of a part brings only the chunks that are missing", async () => {
    const parts = [chunk(1n, 0, 4, 14), chunk(1n, 5, 9, 14), chunk(1n, 10, 14, 14)];
    const [give] = await answered(() => ({ kind: "chunks", chunks: parts }), [want(1n, 1n, [[6, 7]])]);
    assert.deepEqual(give?.t === "give" && give.chunks, [parts[1]]);
  });

  it("brings the last chunk to one who waits for seqs that no longer stand", async () => {
    const parts = [chunk(1n, 0, 4, 9), chunk(1n, 5, 9, 9)];
    const [give] = await answered(() => ({ kind: "chunks", chunks: parts }), [want(1n, 1n, [[12, 20]])]);
    assert.deepEqual(give?.t === "give" && give.chunks, [parts[1]]);
  });

  it("comes in frames of a bounded size, and stops when the asker is gone", async () => {
    const long = (version: bigint): Held => ({
      kind: "chunks",
      chunks: [chunk(version, 0, 0, 0, "x".repeat(900))],
    });
    const sent = await answered(long, [want(1n, 100n)]);
    for (const message of sent) assert.ok(message.t !== "give" || message.chunks.length <= 4);
    assert.equal((await answered(long, [want(1n, 100n)], 3)).length, 3);
  });
});

describe("refused versions", () => {
  it("wait, each kind is told once, and are asked for again after a while or when all is cleared", () => {
    const refusals = new Refusals(100);
    assert.ok(refusals.add("o", 1n, "no such table: x", 0));
    assert.ok(!refusals.add("o", 2n, "no such table: x", 50));
    assert.ok(refusals.add("o", 4n, "no such table: y", 50));
    assert.deepEqual(refusals.waiting(99).get("o"), [
      { start: 1n, end: 2n },
      { start: 4n, end: 4n },
    ]);
    assert.equal(refusals.waiting(100).size, 0);
    assert.ok(!refusals.add("o", 1n, "no such table: x", 101), "still told");
    refusals.clear();
    assert.equal(refusals.waiting(101).size, 0);
    assert.ok(refusals.add("o", 1n, "no such table: x", 102));
  });
});
