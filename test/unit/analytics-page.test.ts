/** @module What the Analytics page decides apart from any browser: the form, progress, history, and what charts draw. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { ListEntry } from "../../public/pages/analytics/answers.ts";
import { comparisonPath, experimentPath } from "../../public/pages/analytics/answers.ts";
import { bandsIn, barColour, barsOf, percentileMarks } from "../../public/pages/analytics/charts/latency.ts";
import { legendPlaces, withValues } from "../../public/pages/analytics/charts/legend.ts";
import {
  isolatedAfter,
  isPoint,
  leftOut,
  nodeColours,
  nodesOf,
  pointsOf,
} from "../../public/pages/analytics/charts/lines.ts";
import {
  deletionText,
  durationMs,
  durationText,
  MOST_COMPARED,
  stillThere,
  ticked,
} from "../../public/pages/analytics/history.ts";
import {
  fractionOf,
  type Progress,
  progressAfter,
  progressOf,
} from "../../public/pages/analytics/progress.ts";
import { errorsOfNode, freshFields, isRunId, readRun } from "../../public/pages/analytics/run-form.ts";
import { readRunRequest } from "../../services/analytics/aggregator/parameters.ts";
import { histogram, latencyStats } from "../../services/analytics/maths.ts";
import { isRunId as nodeTakes } from "../../services/analytics/run-id.ts";

const fields = freshFields(new Date("2026-01-02T03:04:05.678Z"));

describe("The form of a run", () => {
  it("begins with ten messages, one a second, and an id that tells when", () => {
    assert.deepEqual(readRun(fields), {
      ok: true,
      run: {
        experiment_id: "run-20260102-030405",
        transport: "gossip",
        message_count: 10,
        interval_ms: 1000,
        payload_bytes: 0,
      },
    });
  });

  it("names every field that is wrong, and says what would be right", () => {
    const wrong = {
      ...fields,
      experiment_id: ".x",
      message_count: "1001",
      interval_ms: "49",
      payload_bytes: "-1",
    };
    assert.deepEqual(readRun(wrong), {
      ok: false,
      errors: {
        experiment_id: "1 to 64 letters, digits, dots, dashes or underscores, and no dot first.",
        message_count: "A whole number from 0 to 1,000.",
        interval_ms: "A whole number from 50 to 60,000.",
        payload_bytes: "A whole number from 0 to 8,192.",
      },
    });
  });

  it("takes no number that is empty, broken, negative or written otherwise than in digits", () => {
    for (const text of ["", " ", "1.5", "1e3", "0x10", "+5", "-0", "ten", "１０"]) {
      assert.equal(readRun({ ...fields, message_count: text }).ok, false, JSON.stringify(text));
    }
  });

  it("takes the limits themselves", () => {
    for (const [message_count, interval_ms, payload_bytes] of [
      ["0", "50", "0"],
      ["1000", "60000", "8192"],
    ] as const) {
      assert.equal(readRun({ ...fields, message_count, interval_ms, payload_bytes }).ok, true, message_count);
    }
  });

  it("takes an id exactly when a node does", () => {
    const id = fc.oneof(fc.string({ maxLength: 70 }), fc.stringMatching(/^[A-Za-z0-9._-]{0,70}$/));
    fc.assert(fc.property(id, (text) => isRunId(text) === nodeTakes(text)));
    for (const text of ["../x", "a/b", "", ".", "a\n", "a b", "ä", "x".repeat(65)])
      assert.equal(isRunId(text), false);
  });

  it("sends nothing that a node refuses", () => {
    const number = fc.oneof(fc.integer({ min: -5, max: 70_000 }).map(String), fc.string());
    fc.assert(
      fc.property(number, number, number, (message_count, interval_ms, payload_bytes) => {
        const read = readRun({ ...fields, message_count, interval_ms, payload_bytes });
        if (read.ok) readRunRequest(read.run);
      }),
    );
  });

  it("shows at its fields what the node found wrong with them, and nothing of others", () => {
    assert.deepEqual(errorsOfNode({ interval_ms: "must be less", replace: "must be true or false" }), {
      interval_ms: "must be less",
    });
  });
});

const ROW = {
  id: "r1",
  run_count: 1,
  status: "running",
  sent_count: 2,
  failed_count: 1,
  message_count: 10,
} as const;
const progress = (more: Partial<Progress> = {}): Progress => ({ ...progressOf(ROW, null), ...more });
const news = { node_id: "a", experiment_id: "r1" } as const;

describe("Progress of a run", () => {
  it("follows the events of its own run alone", () => {
    const event = {
      ...news,
      type: "message_progress",
      sent_count: 5,
      failed_count: 1,
      total_count: 10,
    } as const;
    assert.equal(progressAfter(progress(), event).sent, 5);
    assert.deepEqual(progressAfter(progress(), { ...event, experiment_id: "r2" }), progress());
    assert.deepEqual(
      progressAfter(progress(), { ...news, type: "cluster_update", node_count: 3 }),
      progress(),
    );
    assert.equal(
      progressAfter(progress(), { ...news, type: "experiment_stopped", status: "stopped" }).status,
      "stopped",
    );
  });

  it("never goes back within a run, whatever comes late", () => {
    const late = {
      ...news,
      type: "message_progress",
      sent_count: 1,
      failed_count: 0,
      total_count: 10,
    } as const;
    assert.deepEqual(progressAfter(progress(), late), progress());
    assert.equal(progressOf(ROW, progress({ sent: 7 })).sent, 7);
    assert.equal(progressOf(ROW, progress({ status: "completed" })).status, "completed");
    assert.equal(
      progressOf({ ...ROW, status: "completed" }, progress({ status: "finalizing" })).status,
      "completed",
    );
  });

  it("begins anew when the id opens again, and for another run", () => {
    const over = progress({ status: "completed", sent: 10 });
    assert.deepEqual(progressOf({ ...ROW, run_count: 2 }, over), progress({ run: 2 }));
    assert.equal(progressOf({ ...ROW, id: "r2" }, over).sent, 2);
  });

  it("counts failures as done, ends at the whole, and has no end where nothing is sent by itself", () => {
    assert.equal(fractionOf(progress()), 0.3);
    assert.equal(fractionOf(progress({ sent: 12 })), 1);
    assert.equal(fractionOf(progress({ total: 0 })), null);
  });
});

const entry = (id: string, more: Partial<ListEntry> = {}): ListEntry => ({
  experiment_id: id,
  send_count: 0,
  ack_count: 0,
  time_range: null,
  status: "completed",
  transport: "gossip",
  started_at: "2026-01-02T03:00:00.000000Z",
  ended_at: "2026-01-02T03:00:12.500000Z",
  ...more,
});

describe("The history of runs", () => {
  it("tells how long each took: to its end, to now while it is on, from its events when nobody has its row", () => {
    const now = Date.parse("2026-01-02T03:01:00Z");
    assert.equal(durationMs(entry("a"), now), 12_500);
    assert.equal(durationMs(entry("a", { status: "running", ended_at: null }), now), 60_000);
    const range = { start: "2026-01-02T03:00:00Z", end: "2026-01-02T03:00:02Z" };
    assert.equal(durationMs(entry("a", { started_at: null, ended_at: null, time_range: range }), now), 2000);
    assert.equal(
      durationMs(entry("a", { status: "interrupted", ended_at: null, time_range: range }), now),
      2000,
    );
    assert.equal(durationMs(entry("a", { started_at: null }), now), null);
    assert.equal(durationMs(entry("a", { ended_at: null }), now), null);
  });

  it("writes durations as people read them", () => {
    const texts = [null, 0, 440, 9949, 12_500, 59_499, 185_000, 7_620_000].map(durationText);
    assert.deepEqual(texts, ["–", "0.0 s", "0.4 s", "9.9 s", "13 s", "59 s", "3 min 05 s", "2 h 07 min"]);
  });

  it("compares six at most, each once, and none that is gone", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(..."abcdefghij")), (clicks) => {
        const ticks = clicks.reduce<readonly string[]>(ticked, []);
        assert.ok(ticks.length <= MOST_COMPARED);
        assert.equal(new Set(ticks).size, ticks.length);
      }),
    );
    assert.deepEqual(["a", "b", "a", "c"].reduce<readonly string[]>(ticked, []), ["b", "c"]);
    assert.deepEqual(stillThere(["a", "b"], [entry("b"), entry("c")]), ["b"]);
  });

  it("says where a deleted run still is", () => {
    assert.equal(deletionText("It was", { deleted_on: ["a"], unreachable: [] }), "It was deleted on 1 node.");
    assert.match(
      deletionText("It was", { deleted_on: ["a", "b"], unreachable: ["c"] }),
      /2 nodes.*still there: c\.$/,
    );
  });

  it("keeps ids inside their place in an address", () => {
    assert.equal(experimentPath("a/b?c", "summary"), "/api/analytics/experiments/a%2Fb%3Fc/summary");
    assert.match(comparisonPath(["a", "b&c"], "csv"), /compare\?ids=a,b%26c&format=csv$/);
  });
});

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

  it("give a node one colour in all of them, whoever is there", () => {
    const colours = nodeColours(nodesOf(lines, [{ node_id: "c", points: [], point_count: 0 }]));
    assert.deepEqual([...colours.keys()], ["a", "b", "c"]);
    assert.equal(colours.get("b"), "var(--leader-1)");
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
          names.map((text) => ({ text, colour: "red" })),
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
