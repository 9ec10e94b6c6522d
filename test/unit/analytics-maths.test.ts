/** @module The mathematics of propagation against definitions written out plainly. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { columnsOf, type EventColumns, mergeColumns } from "../../services/analytics/columns.ts";
import type { MessageEvent } from "../../services/analytics/contract.ts";
import {
  ackRate,
  histogram,
  latencyStats,
  nodesOf,
  percentile,
  remoteNodes,
  samplesOf,
  sendsOf,
} from "../../services/analytics/maths.ts";
import {
  messageFlows,
  performanceByNode,
  receiptStaircase,
  receiptSummary,
  rttTimeSeries,
  samplesByNode,
} from "../../services/analytics/series.ts";
import { acked, once, runEvents, sent, T0 } from "../helpers/run-events.ts";

const latency = fc.integer({ min: 0, max: 60_000_000 });
const sortedOf = (values: readonly number[]) => values.toSorted((a, b) => a - b);

const nodesIn = (columns: EventColumns) => samplesByNode(columns, samplesOf(columns));

/** Latencies in microseconds, by the definition: an acknowledgement's arrival less the send, by another node. */
function pairs(events: readonly MessageEvent[]) {
  const kept = once(events);
  return kept
    .filter(({ event_type }) => event_type === "acked")
    .flatMap((ack) => {
      const send = kept.find((e) => e.event_type === "sent" && e.message_id === ack.message_id);
      if (!send || send.originating_node === ack.target_node) return [];
      return [{ ack, send, us: Math.max(0, ack.event_timestamp - send.event_timestamp) }];
    });
}

describe("A percentile", () => {
  it("is the nearest rank, and null of nothing", () => {
    const cases = [0, 1, 4, 100].map((n) => {
      const sorted = Array.from({ length: n }, (_, i) => (i + 1) * 10);
      return [50, 95, 99].map((p) => percentile(sorted, p));
    });
    assert.deepEqual(cases, [
      [null, null, null],
      [10, 10, 10],
      [20, 40, 40],
      [500, 950, 990],
    ]);
  });

  it("is a value that was measured, with at least p percent of all at or below it, and less below", () => {
    fc.assert(
      fc.property(fc.array(latency, { minLength: 1 }), fc.integer({ min: 1, max: 100 }), (values, p) => {
        const found = percentile(sortedOf(values), p) ?? assert.fail();
        assert.ok(values.includes(found));
        assert.ok(values.filter((value) => value <= found).length * 100 >= p * values.length);
        assert.ok(values.filter((value) => value < found).length * 100 < p * values.length);
      }),
    );
  });
});

describe("Statistics of latencies", () => {
  it("are null of nothing, and one value's own of one", () => {
    const { sample_count, ...none } = latencyStats(new Float64Array());
    assert.equal(sample_count, 0);
    assert.deepEqual(new Set(Object.values(none)), new Set([null]));
    assert.deepEqual(latencyStats(Float64Array.of(1234)), {
      min_ms: 1.234,
      max_ms: 1.234,
      avg_ms: 1.234,
      median_ms: 1.234,
      p95_ms: 1.234,
      p99_ms: 1.234,
      sample_count: 1,
    });
  });

  it("are those of the sorted values, whatever their order", () => {
    fc.assert(
      fc.property(fc.array(latency, { minLength: 1 }), (values) => {
        const sorted = sortedOf(values);
        const ms = (p: number) => (percentile(sorted, p) ?? assert.fail()) / 1000;
        const mean = values.reduce((a, b) => a + b, 0) / values.length;
        assert.deepEqual(latencyStats(Float64Array.from(values)), {
          min_ms: sorted[0]! / 1000,
          max_ms: sorted.at(-1)! / 1000,
          avg_ms: Math.round(mean) / 1000,
          median_ms: ms(50),
          p95_ms: ms(95),
          p99_ms: ms(99),
          sample_count: values.length,
        });
      }),
    );
  });

  it("are the same for so many that only a part of them is sorted", () => {
    const crowds = fc.record({
      seed: fc.integer({ min: 1, max: 2 ** 30 }),
      n: fc.integer({ min: 10_001, max: 20_000 }),
      spread: fc.constantFrom(1, 2, 1000, 1_000_000, 60_000_000),
    });
    fc.assert(
      fc.property(crowds, ({ n, seed, spread }) => {
        let state = seed;
        const values = Float64Array.from({ length: n }, () => {
          state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
          return 7 + (state % spread);
        });
        const { median_ms, p95_ms, p99_ms } = latencyStats(values);
        const sorted = values.toSorted();
        assert.deepEqual(
          [median_ms, p95_ms, p99_ms],
          [50, 95, 99].map((p) => (percentile(sorted, p) ?? assert.fail()) / 1000),
        );
      }),
      { numRuns: 30 },
    );
  });
});

describe("The histogram", () => {
  const sizes = (values: readonly number[]) => histogram(Float64Array.from(values));

  it("has no buckets for nothing", () => assert.deepEqual(sizes([]).buckets, []));

  it("puts a multiple of the width into the bucket that it begins", () => {
    assert.deepEqual(
      sizes([0, 49_999, 50_000, 100_000]).buckets.map(({ count }) => count),
      [2, 1, 1],
    );
  });

  it("goes past the maximum and not one bucket further", () => {
    const { bucket_width_ms, buckets } = sizes([100_000]);
    assert.deepEqual([bucket_width_ms, buckets.at(-1)], [50, { from_ms: 100, to_ms: 150, count: 1 }]);
  });

  it("doubles its width only beyond 200 buckets", () => {
    assert.deepEqual([sizes([9_999_999]).bucket_width_ms, sizes([9_999_999]).buckets.length], [50, 200]);
    assert.deepEqual([sizes([10_000_000]).bucket_width_ms, sizes([10_000_000]).buckets.length], [100, 101]);
  });

  it("sums to the number of values, each in its bucket, without a gap, in at most 200", () => {
    const values = fc.oneof(
      fc.array(fc.integer({ min: 0, max: 3_600_000_000 })),
      fc.array(fc.integer({ min: 0, max: 400 }).map((i) => i * 50_000)),
      fc
        .tuple(latency, fc.integer({ min: 0, max: 50 }))
        .map(([value, n]) => new Array<number>(n).fill(value)),
    );
    fc.assert(
      fc.property(values, (us) => {
        const { bucket_width_ms, buckets } = sizes(us);
        assert.ok(buckets.length <= 200);
        assert.ok(bucket_width_ms === 50 || Math.max(...us) >= (bucket_width_ms / 2) * 200_000);
        buckets.forEach(({ count, from_ms, to_ms }, i) => {
          assert.deepEqual([from_ms, to_ms], [i * bucket_width_ms, (i + 1) * bucket_width_ms]);
          assert.equal(count, us.filter((value) => value >= from_ms * 1000 && value < to_ms * 1000).length);
        });
        assert.equal(
          buckets.reduce((sum, { count }) => sum + count, 0),
          us.length,
        );
        if (us.length > 0) assert.ok(buckets.at(-1)!.count > 0);
      }),
    );
  });
});

describe("The ack rate", () => {
  it("is null when nothing was sent or nobody could answer", () => {
    assert.deepEqual([ackRate(0, 0, 3), ackRate(5, 0, 0)], [null, null]);
  });

  it("has one decimal, and 100 is all of them", () => {
    assert.deepEqual(
      [ackRate(3, 6, 2), ackRate(3, 2, 1), ackRate(1000, 1999, 2), ackRate(5000, 9999, 2), ackRate(4, 0, 2)],
      [100, 66.7, 99.9, 99.9, 0],
    );
  });

  it("never passes 100 with repeats, joiners and many senders, and reaches it", () => {
    fc.assert(
      fc.property(runEvents, fc.subarray(["n1", "n2", "n9"]), (events, atStart) => {
        const columns = columnsOf(events);
        const remote = remoteNodes(atStart, nodesOf(columns));
        const rate = ackRate(sendsOf(columns), samplesOf(columns).latencies.length, remote);
        assert.ok(rate === null || (rate >= 0 && rate <= 100), String(rate));
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 2, max: 5 }), (messages, nodes) => {
        const ids = Array.from({ length: nodes }, (_, i) => `n${i}`);
        const events = ids.flatMap((from) =>
          Array.from({ length: messages }, (_, m) => `${from}_${m}`).flatMap((id) => [
            sent(id, from, T0),
            ...ids
              .filter((to) => to !== from)
              .flatMap((to) => [acked(id, from, to, T0 + 5), acked(id, from, to, T0 + 9)]),
          ]),
        );
        const columns = columnsOf(events);
        const remote = remoteNodes([], nodesOf(columns));
        assert.equal(ackRate(sendsOf(columns), samplesOf(columns).latencies.length, remote), 100);
      }),
    );
  });
});

describe("What a run measured", () => {
  it("is each acknowledgement of a recorded send, once, by the sender's clock", () => {
    fc.assert(
      fc.property(runEvents, (events) => {
        const expected = pairs(events).map(({ us }) => us);
        assert.deepEqual(sortedOf([...samplesOf(columnsOf(events)).latencies]), sortedOf(expected));
      }),
    );
  });

  it("stands in a row for each node that acknowledged", () => {
    fc.assert(
      fc.property(runEvents, (events) => {
        const columns = columnsOf(events);
        const rows = performanceByNode(samplesOf(columns), nodesIn(columns));
        const byNode = Map.groupBy(pairs(events), ({ ack }) => ack.target_node ?? assert.fail());
        assert.deepEqual(
          rows.map(({ node_id }) => node_id),
          [...byNode.keys()].sort(),
        );
        for (const row of rows) {
          const sorted = sortedOf(byNode.get(row.node_id)!.map(({ us }) => us));
          assert.deepEqual(
            [row.ack_count, row.min_ms, row.max_ms, row.p50_ms, row.p95_ms, row.p99_ms],
            [
              sorted.length,
              sorted[0]! / 1000,
              sorted.at(-1)! / 1000,
              ...[50, 95, 99].map((p) => (percentile(sorted, p) ?? assert.fail()) / 1000),
            ],
          );
        }
      }),
    );
  });

  it("is a line per node over the time since the first send", () => {
    fc.assert(
      fc.property(runEvents, (events) => {
        const columns = columnsOf(events);
        const first = Math.min(
          ...once(events)
            .filter(({ event_type }) => event_type === "sent")
            .map(({ event_timestamp }) => event_timestamp),
        );
        for (const line of rttTimeSeries(columns, samplesOf(columns), nodesIn(columns))) {
          const expected = pairs(events)
            .filter(({ ack }) => ack.target_node === line.node_id)
            .map(({ send, us }) => [(send.event_timestamp - first) / 1000, us / 1000]);
          const order = ([a, b]: readonly number[], [c, d]: readonly number[]) => a! - c! || b! - d!;
          assert.deepEqual(line.points.toSorted(order), expected.toSorted(order));
          assert.equal(line.point_count, expected.length);
          assert.ok(line.points.every(([x], i) => i === 0 || x >= line.points[i - 1]![0]));
        }
      }),
    );
  });

  it("is a staircase per node that told when it received: each receipt at its message's place, from its first", () => {
    fc.assert(
      fc.property(runEvents, (events) => {
        const columns = columnsOf(events);
        const sends = once(events)
          .filter(({ event_type }) => event_type === "sent")
          .sort((a, b) => a.event_timestamp - b.event_timestamp || (a.message_id < b.message_id ? -1 : 1));
        const told = pairs(events).filter(({ ack }) => ack.receipt_timestamp !== null);
        const expected = [...Map.groupBy(told, ({ ack }) => ack.target_node ?? "")].map(([node, list]) => {
          const first = Math.min(...list.map(({ ack }) => ack.receipt_timestamp ?? 0));
          const points = list.map(({ ack, send }) => [
            sends.indexOf(send) + 1,
            ((ack.receipt_timestamp ?? 0) - first) / 1000,
          ]);
          return [node, points.sort(([a = 0], [b = 0]) => a - b)] as const;
        });
        const lines = receiptStaircase(columns, samplesOf(columns), nodesIn(columns));
        assert.deepEqual(new Map(lines.map(({ node_id, points }) => [node_id, points])), new Map(expected));
        for (const { point_count, points } of lines) assert.equal(point_count, points.length);
      }),
    );
  });

  it("is a staircase per node, on the node's own clock alone", () => {
    const events = [
      sent("a", "n1", T0),
      sent("b", "n1", T0 + 1000),
      sent("c", "n1", T0 + 2000),
      // This node's clock is an hour late, and it says nothing of the second message.
      acked("a", "n1", "n2", T0 + 300, T0 - 3_600_000_000),
      acked("b", "n1", "n2", T0 + 1300),
      acked("c", "n1", "n2", T0 + 2300, T0 - 3_600_000_000 + 2100),
      acked("c", "n1", "n3", T0 + 2300, T0 + 77),
    ];
    const columns = columnsOf(events.toReversed());
    assert.deepEqual(receiptStaircase(columns, samplesOf(columns), nodesIn(columns)), [
      {
        node_id: "n2",
        points: [
          [1, 0],
          [3, 2.1],
        ],
        point_count: 2,
      },
      { node_id: "n3", points: [[3, 0]], point_count: 1 },
    ]);
    assert.deepEqual(receiptSummary(columns, 3, samplesOf(columns)), {
      message_count: 3,
      receipt_count: 3,
      average_receipts: 1,
      node_count: 2,
    });
  });

  it("flows from whom to whom", () => {
    fc.assert(
      fc.property(runEvents, (events) => {
        const columns = columnsOf(events);
        const flows = messageFlows(columns, samplesOf(columns));
        const expected = Map.groupBy(pairs(events), ({ ack, send }) =>
          JSON.stringify([send.originating_node, ack.target_node]),
        );
        assert.deepEqual(
          new Map(flows.map((flow) => [JSON.stringify([flow.from_node, flow.to_node]), flow.message_count])),
          new Map([...expected].map(([key, list]) => [key, list.length])),
        );
      }),
    );
  });

  it("keeps the extremes of a line that has more points than a chart can show", () => {
    const n = 10_000;
    const peak = 4321;
    const events = Array.from({ length: n }, (_, i) => `m${i}`).flatMap((id, i) => [
      sent(id, "n1", T0 + i * 1000),
      acked(id, "n1", "n2", T0 + i * 1000 + (i === peak ? 900_000 : 1000 + (i % 7))),
    ]);
    const columns = columnsOf(events);
    const [line] = rttTimeSeries(columns, samplesOf(columns), nodesIn(columns));
    assert.equal(line?.point_count, n);
    assert.ok(line.points.length <= 2000 && line.points.length > 1000);
    assert.deepEqual([line.points[0]?.[0], line.points.at(-1)?.[0]], [0, n - 1]);
    assert.ok(line.points.some(([x, y]) => x === peak && y === 900));
  });
});

describe("The records of several nodes", () => {
  /** The columns in words, so that the order of nodes in their dictionary does not matter. */
  const words = (events: readonly MessageEvent[]) => spelled(columnsOf(events));
  function spelled({
    ackedAt,
    ends,
    messages,
    nodes,
    originators,
    receivedAt,
    sentAt,
    targets,
  }: ReturnType<typeof columnsOf>) {
    return messages.map((id, m) => ({
      id,
      sentAt: sentAt[m],
      originator: nodes[originators[m]!],
      acks: Array.from(
        { length: ends[m]! - (m === 0 ? 0 : ends[m - 1]!) },
        (_, i) => i + (m === 0 ? 0 : ends[m - 1]!),
      )
        .map((a) => [nodes[targets[a]!], ackedAt[a], receivedAt[a]])
        .sort(),
    }));
  }

  it("are one, however they lie on the nodes and whatever is there twice", () => {
    const scattered = runEvents.chain((events) =>
      fc.tuple(
        fc.constant(once(events)),
        fc.array(fc.subarray([0, 1, 2], { minLength: 1 }), {
          minLength: events.length,
          maxLength: events.length,
        }),
      ),
    );
    fc.assert(
      fc.property(scattered, ([events, places]) => {
        const parts = [0, 1, 2].map((part) => ({
          node_id: `n${part + 1}`,
          events: columnsOf(events.filter((_, i) => places[i]?.includes(part))),
        }));
        assert.deepEqual(spelled(mergeColumns(parts)), words(events));
        assert.deepEqual(spelled(mergeColumns(parts.toReversed())), words(events));
      }),
    );
  });

  it("disagree to the originator's favour", () => {
    const of = (node_id: string, at: number) => ({
      node_id,
      events: columnsOf([sent("m", "n2", at), acked("m", "n2", "n3", at + 100)]),
    });
    const merged = mergeColumns([of("n1", T0), of("n2", T0 + 7), of("n3", T0)]);
    assert.deepEqual([[...merged.sentAt], [...merged.ackedAt]], [[T0 + 7], [T0 + 107]]);
  });

  it("are none when there is none", () => assert.deepEqual(mergeColumns([]).messages, []));
});
