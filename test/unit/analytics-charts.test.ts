/** @module What the charts of the Analytics page draw, apart from any browser. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { bandsIn, barColour, barsOf, percentileMarks } from "../../public/pages/analytics/charts/latency.ts";
import { legendPlaces, withValues } from "../../public/pages/analytics/charts/legend.ts";
import {
  isolatedAfter,
  isPoint,
  leftOut,
  marksOf,
  nodeLooks,
  owing,
  pointsOf,
  silentOf,
  withSilent,
} from "../../public/pages/analytics/charts/lines.ts";
import { wholeTicks } from "../../public/pages/analytics/charts/lines-options.ts";
import { plotSymbol, SHAPES, SQUARE, shapePath } from "../../public/pages/analytics/charts/shapes.ts";
import { histogram, latencyStats } from "../../services/analytics/maths.ts";

describe("The charts of a run", () => {
  it("colour a bar by its lower edge", () => {
    const colours = [0, 299, 300, 599, 600, 899, 900, 99_999].map(barColour);
    const [green, amber, orange, red] = ["#10B981", "#F59E0B", "#F97316", "#EF4444"];
    assert.deepEqual(colours, [green, green, amber, amber, orange, orange, red, red]);
  });

  it("draw every latency once, and explain only the colours that are there", () => {
    const latencies = fc.array(fc.integer({ min: 0, max: 5_000_000 }), { maxLength: 200 });
    fc.assert(
      fc.property(latencies, (us) => {
        const bars = barsOf(histogram(Float64Array.from(us)));
        assert.equal(
          bars.reduce((sum, { count }) => sum + count, 0),
          us.length,
        );
        const shown = new Set(bars.filter(({ count }) => count > 0).map(({ colour }) => colour));
        assert.deepEqual(new Set(bandsIn(bars).map(({ colour }) => colour)), shown);
      }),
    );
  });

  it("mark the percentiles that the node computed, and none without a sample", () => {
    const stats = latencyStats(Float64Array.from({ length: 100 }, (_, i) => (i + 1) * 1000));
    assert.deepEqual(percentileMarks(stats), [
      { name: "P50", ms: 50 },
      { name: "P95", ms: 95 },
      { name: "P99", ms: 99 },
    ]);
    assert.deepEqual(percentileMarks(latencyStats(new Float64Array())), []);
  });

  const lines = [
    { node_id: "b", points: [[0, 5] as const, [10, 6] as const], point_count: 4 },
    { node_id: "a", points: [[0, 7] as const], point_count: 1 },
  ];

  it("give a node one colour and one shape in all of them, whoever tells first", () => {
    const looks = nodeLooks(["b", "a", "b", "c"]);
    assert.deepEqual([...looks.keys()], ["a", "b", "c"]);
    assert.deepEqual(looks.get("b"), { colour: "var(--leader-1)", shape: SHAPES[1] });
    assert.deepEqual(nodeLooks(["c", "b", "a"]), looks);
  });

  it("give 63 nodes looks of which no two are the same", () => {
    const looks = nodeLooks(Array.from({ length: 63 }, (_, i) => `node${i}`));
    assert.equal(new Set([...looks.values()].map((look) => JSON.stringify(look))).size, 63);
  });

  it("draw a shape as large as was asked, in charts as in legends", () => {
    for (const shape of SHAPES) {
      const drawn: [number, number][] = [];
      let closed = false;
      plotSymbol(shape).draw(
        {
          moveTo: (x, y) => drawn.push([x, y]),
          lineTo: (x, y) => drawn.push([x, y]),
          closePath: () => {
            closed = true;
          },
        },
        Math.PI * 9,
      );
      assert.ok(closed);
      const area = drawn.reduce((sum, [x, y], at) => {
        const [nextX, nextY] = drawn[(at + 1) % drawn.length]!;
        return sum + (x * nextY - nextX * y) / 2;
      }, 0);
      assert.ok(Math.abs(area) > 17 && Math.abs(area) < 32, `${area} square pixels`);
      assert.match(shapePath(shape, 3), /^M(-?[\d.]+,-?[\d.]+L)+-?[\d.]+,-?[\d.]+Z$/);
    }
  });

  it("name the nodes that owe an acknowledgement and told nothing, with no figure of theirs", () => {
    const expected = owing({ expected_nodes: ["a", "b", "d"], owner_node: "a" });
    assert.deepEqual(expected, ["b", "d"]);
    assert.deepEqual(owing(null), []);
    assert.deepEqual(silentOf(expected, lines), ["d"]);
    const told = {
      node_id: "e",
      ack_count: 1,
      min_ms: 1,
      avg_ms: 1,
      max_ms: 1,
      p50_ms: 1,
      p95_ms: 1,
      p99_ms: 1,
    };
    const rows = withSilent([told], expected);
    assert.deepEqual(
      rows.map(({ node_id, ack_count, p99_ms }) => [node_id, ack_count, p99_ms]),
      [
        ["b", 0, null],
        ["d", 0, null],
        ["e", 1, 1],
      ],
    );
  });

  it("put shapes on some points of a long line, on its last one always, and on all of a short one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2000 }), (count) => {
        const points = Array.from({ length: count }, (_, i) => [i, i] as const);
        const marks = marksOf([{ node_id: "a", points, point_count: count }], null);
        assert.ok(marks.length <= 41 && marks.length >= Math.min(count, 20));
        assert.equal(marks.at(-1)?.x, points.at(-1)?.[0]);
        if (count <= 40) assert.equal(marks.length, count);
      }),
    );
  });

  it("count messages without halves", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 1000 }), (last) => {
        const ticks = wholeTicks(last);
        assert.ok(ticks >= 1 && ticks <= last - 1, "no more steps than messages");
      }),
    );
    assert.equal(wholeTicks(1), 1);
  });

  it("leave one node alone after a click, and bring all back after another", () => {
    const isolated = isolatedAfter(null, "a");
    assert.deepEqual(pointsOf(lines, isolated), [{ node: "a", x: 0, y: 7 }]);
    assert.equal(isolatedAfter(isolated, "b"), "b");
    assert.equal(pointsOf(lines, isolatedAfter(isolated, "a")).length, 3);
    assert.ok(isPoint(pointsOf(lines, null)[0]));
    for (const other of [null, undefined, 7, {}, { node: 7 }]) assert.equal(isPoint(other), false);
  });

  it("say how many points they leave out", () => {
    assert.equal(leftOut(lines), 2);
  });

  it("write the page's colours into a picture, and leave what it does not know", () => {
    const known = (name: string) => (name === "--ink" ? " #123456" : "");
    assert.equal(withValues("var(--ink)", known), "#123456");
    assert.equal(withValues("a var(--ink) var(--nobody)", known), "a #123456 var(--nobody)");
  });

  it("put the legend of a picture in as many rows as it needs, in order, nothing over anything", () => {
    const texts = fc.array(fc.string({ maxLength: 40 }), { maxLength: 20 });
    fc.assert(
      fc.property(texts, fc.integer({ min: 100, max: 1200 }), (names, width) => {
        const { places, rows } = legendPlaces(
          names.map((text) => ({ text, colour: "red", shape: SQUARE })),
          width,
        );
        assert.equal(rows, names.length === 0 ? 0 : places.at(-1)!.row + 1);
        for (const [at, place] of places.entries()) {
          const before = places[at - 1];
          if (before?.row === place.row) assert.ok(place.x >= before.x + 16 + before.text.length * 6.5);
          else assert.equal(place.x, 0);
          if (place.x > 0) assert.ok(place.x + 16 + place.text.length * 6.5 <= width, "it stays inside");
        }
      }),
    );
  });
});
