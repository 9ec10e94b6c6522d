/** @module What the Analytics page decides apart from any browser: the form, progress, history. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { comparisonPath, experimentPath } from "../../public/pages/analytics/answers.ts";
import {
  clockText,
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
import {
  errorsOfNode,
  freshFields,
  isRunId,
  planText,
  readRun,
} from "../../public/pages/analytics/run-form.ts";
import { readRunRequest } from "../../services/analytics/aggregator/parameters.ts";
import type { ListEntry } from "../../services/analytics/bodies.ts";
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

describe("The plan of a run", () => {
  it("is told as the begin of a sentence", () => {
    const plan = (message_count: number, payload_bytes: number) =>
      planText({ message_count, interval_ms: 1500, payload_bytes });
    assert.equal(plan(10, 0), "10 messages, one every 1,500 ms,");
    assert.equal(plan(10, 512), "10 messages, one every 1,500 ms, padded to 512 bytes,");
    assert.equal(plan(1, 0), "1 message");
    assert.equal(plan(0, 512), "What any node sends until it is stopped,");
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
  message_count: 0,
  send_count: 0,
  ack_count: 0,
  time_range: null,
  status: "completed",
  transport: "gossip",
  started_at: "2026-01-02T03:00:00.000000Z",
  ended_at: "2026-01-02T03:00:12.500000Z",
  run_count: 1,
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

  it("writes when a message was sent to the millisecond", () => {
    assert.match(clockText("2026-01-02T03:04:05.078901Z"), /^\d\d:\d\d:05\.078$/);
    assert.equal(clockText("soon"), "soon");
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
