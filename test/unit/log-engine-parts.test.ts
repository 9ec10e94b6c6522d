/** @module The small parts of the log engines, each alone. */
import assert from "node:assert/strict";
import { headers } from "nats";
import { DoubtKeeper } from "../../services/raft/engine/entry-rules.ts";
import { Fenced, Unavailable, Unknown } from "../../services/raft/engine/errors.ts";
import { LiveTail } from "../../services/raft/engine/live-tail.ts";
import { EXPECTED_LAST, inPlace } from "../../services/raft/engine/nats-place.ts";
import { streamSequence } from "../../services/raft/engine/nats-tail.ts";
import { isOlder } from "../../services/raft/engine/nats-version.ts";
import { Slots } from "../../services/raft/engine/slots.ts";
import { checksum, indexOf, MAX_GROUPS, position } from "../../services/raft/engine/sqlite-file.ts";

describe("a NATS version", () => {
  it("is older when its numbers are lower, not its digits", () => {
    for (const version of ["2.9.25", "2.10.3", "v2.10.22", "1.99.99", "nonsense"])
      assert.ok(isOlder(version, "2.10.23"), version);
    for (const version of ["2.10.23", "v2.10.100", "2.12.0-RC.1", "3.0.0"])
      assert.ok(!isOlder(version, "2.10.23"), version);
  });
});

describe("the stream sequence of a delivery", () => {
  it("stands in its reply subject, with and without a domain", () => {
    assert.equal(streamSequence("$JS.ACK.fleet-log-001.cons.1.42.7.1700000000000000000.0"), 42);
    assert.equal(streamSequence("$JS.ACK.hub.acc.fleet-log-001.cons.1.42.7.1700000000000000000.0.tok"), 42);
    assert.equal(streamSequence("_INBOX.abc"), 0);
    assert.equal(streamSequence(undefined), 0);
  });
});

describe("a row's key", () => {
  it("keeps groups apart and gives the index back", () => {
    const largest = position(MAX_GROUPS - 1, 2 ** 40 - 1);
    assert.ok(Number.isSafeInteger(largest));
    assert.equal(indexOf(MAX_GROUPS - 1, largest), 2 ** 40 - 1);
    assert.ok(position(7, 2 ** 40 - 1) < position(8, 0));
  });

  it("is part of the entry's checksum", () => {
    const data = Buffer.from("entry");
    const sums = [checksum(1, 1, data), checksum(1, 2, data), checksum(2, 1, data)];
    assert.equal(new Set(sums).size, 3);
  });
});

describe("a live tail", () => {
  it("hands over entries in order and wakes the one who waits", async () => {
    const tail = new LiveTail();
    const waiting = tail.wait();
    tail.push({ index: 1, data: Buffer.from("a") });
    await waiting;
    tail.push({ index: 2, data: Buffer.from("b") });
    assert.deepEqual(
      tail.take().map(({ index }) => index),
      [1, 2],
    );
    assert.deepEqual(tail.take(), []);
  });

  it("never holds more than some megabytes, and shows the gap by what is left", () => {
    const tail = new LiveTail();
    for (let index = 1; index <= 100; index++) tail.push({ index, data: Buffer.alloc(512 * 1024) });
    const left = tail.take();
    assert.ok(left.length <= 8);
    assert.equal(left.at(-1)?.index, 100);
  });

  it("throws what it was ended with", async () => {
    const tail = new LiveTail();
    tail.end(new Unavailable("the writer is gone"));
    await tail.wait();
    assert.throws(() => tail.take(), Unavailable);
  });
});

describe("a message whose outcome is open", () => {
  const fail = (error: Error) => (): Promise<number> => Promise.reject(error);

  it("stays open when a later attempt was certainly not written", async () => {
    const doubt = new DoubtKeeper();
    await assert.rejects(doubt.settle("a", fail(new Unavailable("down"))), Unavailable);
    await assert.rejects(doubt.settle("a", fail(new Unknown("no answer"))), Unknown);
    await assert.rejects(doubt.settle("a", fail(new Unavailable("down"))), Unknown);
    await assert.rejects(doubt.settle("b", fail(new Unavailable("down"))), Unavailable);
    assert.equal(await doubt.settle("a", async () => 5), 5);
    await assert.rejects(doubt.settle("a", fail(new Unavailable("down"))), Unavailable);
  });

  it("is settled by being fenced", async () => {
    const doubt = new DoubtKeeper();
    await assert.rejects(doubt.settle("a", fail(new Unknown("no answer"))), Unknown);
    await assert.rejects(doubt.settle("a", fail(new Fenced(1, 4))), Fenced);
    await assert.rejects(doubt.settle("a", fail(new Unavailable("down"))), Unavailable);
  });
});

describe("a bound on parallel tasks", () => {
  it("begins the next task when one has ended, or holds its slot too long", async () => {
    const slots = new Slots(1, 20);
    const begun: string[] = [];
    const straggler = Promise.withResolvers<void>();
    const tasks = [
      slots.run(async () => void begun.push("first")),
      slots.run(() => {
        begun.push("straggler");
        return straggler.promise;
      }),
      slots.run(async () => void begun.push("last")),
    ];
    await tasks[2];
    assert.deepEqual(begun, ["first", "straggler", "last"]);
    straggler.resolve();
    await Promise.all(tasks);
  });
});

describe("an entry of a stream", () => {
  const written = (expectedLast: string) => {
    const head = headers();
    head.set(EXPECTED_LAST, expectedLast);
    return head;
  };

  it("stands where its writer put it, or its copy of the stream is damaged", () => {
    assert.ok(inPlace(written("279"), 280));
    assert.ok(!inPlace(written("280"), 280), "everything behind a lost entry has moved up");
    assert.ok(!inPlace(written("279"), 281));
    assert.ok(inPlace(written("0"), 1));
  });

  it("without such a header is taken as it is", () => {
    assert.ok(inPlace(undefined, 7));
    assert.ok(inPlace(headers(), 7));
  });
});
