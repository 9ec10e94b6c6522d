/** @module Exports of runs: their keys, and that a CSV reader of another make reads back what was written. */
import assert from "node:assert/strict";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { failureType } from "../../lib/corrosion/failures.ts";
import { type CsvValue, csvFile } from "../../lib/csv.ts";
import { columnsOf } from "../../services/analytics/columns.ts";
import type { MessageEvent, MessageEventRow } from "../../services/analytics/contract.ts";
import { comparedOf, comparisonCsv, comparisonOf } from "../../services/analytics/export/comparison.ts";
import { exportOf } from "../../services/analytics/export/experiment.ts";
import { experimentCsv } from "../../services/analytics/export/experiment-csv.ts";
import { comparisonFile, experimentFile } from "../../services/analytics/export/file.ts";
import { type EventSource, mergeEvents } from "../../services/analytics/export/merge-events.ts";
import { withRawEvents } from "../../services/analytics/export/raw-events.ts";
import { eventJson } from "../../services/analytics/reports.ts";
import { mergeParts, type RunRecords } from "../../services/analytics/run-records.ts";
import { acked, experiment, once, runEvents, sent, T0 } from "../helpers/run-events.ts";

/** As RFC 4180 has it, and no more forgiving. */
const read = (text: string): string[][] =>
  parse(text, { record_delimiter: "\r\n", relax_column_count: false, skip_empty_lines: false });
/** What a reader finds where a text was written. */
const guarded = (value: CsvValue): string =>
  value === null ? "" : typeof value === "string" && /^[=+\-@]/.test(value) ? `'${value}` : String(value);

const EXPORTER = { node_id: "ams-1", region: "ams", at: T0 };
const ALL = { include_system_metrics: true, nodes_reporting: ["ams-1"], nodes_missing: ["fra-2"] };

function records(events: readonly MessageEvent[], given: Partial<RunRecords> = {}): RunRecords {
  return {
    experiment: experiment({
      expected_nodes: ["ams-1", "fra-2"],
      ended_at: T0 + 12_500_000,
      status: "completed",
    }),
    events: columnsOf(events),
    rows: events.map((event, i) => ({ ...event, id: i + 1, inserted_at: T0 })),
    metrics: [
      {
        id: 1,
        experiment_id: "run",
        node_id: "ams-1",
        cpu_percent: 1.5,
        memory_mb: 80,
        runtime_handles: 12,
        corrosion_connections: 1,
        message_queue_length: 0,
        event_loop_lag_ms: 0.25,
        inserted_at: T0,
      },
    ],
    snapshots: [],
    ...given,
  };
}

const RUN = records([
  sent("m1", "ams-1", T0),
  acked("m1", "ams-1", "fra-2", T0 + 80_000, T0 + 3),
  sent("m2", "ams-1", T0 + 1_000_000),
]);

/** The text of an export with the events of `RUN` behind it, in pages of these sizes. */
async function whole(format: "json" | "csv", file: string, sizes: readonly number[]): Promise<string> {
  async function* pages() {
    let at = 0;
    for (const size of sizes) {
      yield (RUN.rows ?? []).slice(at, at + size);
      at += size;
    }
  }
  return (await Array.fromAsync(withRawEvents(format, file, pages()))).join("");
}

describe("CSV", () => {
  it("round-trips commas, quotes, newlines and formulas", () => {
    const hostile = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.string({
        unit: fc.constantFrom(",", '"', "\r", "\n", "=", "+", "-", "@", "'", " ", "\t", "a", "é", "😀"),
      }),
    );
    const rows = fc.array(
      fc.tuple(
        hostile,
        fc.oneof(fc.constant(null), fc.double({ noNaN: true, noDefaultInfinity: true })),
        hostile,
      ),
    );
    fc.assert(
      fc.property(rows, (values) => {
        const text = csvFile(["a", "b", "c"], values);
        assert.deepEqual(read(text), [["a", "b", "c"], ...values.map((row) => row.map(guarded))]);
      }),
    );
  });

  it("ends every line with CRLF, the last one too", () => {
    assert.equal(csvFile(["a", "b"], [["x\ny", 1]]), 'a,b\r\n"x\ny",1\r\n');
  });

  it("guards texts that a sheet would compute, and leaves negative numbers alone", () => {
    assert.equal(
      csvFile(["a"], [["=1+1"], ["+1"], ["-1"], ["@x"], [-1], ["a=1"]]),
      "a\r\n'=1+1\r\n'+1\r\n'-1\r\n'@x\r\n-1\r\na=1\r\n",
    );
  });

  it("refuses a row of another length than the header", () => {
    assert.throws(() => csvFile(["a", "b"], [["x"]]), /1 fields, and the header 2/);
  });
});

describe("The export of a run", () => {
  const data = exportOf("run", RUN, EXPORTER, ALL);

  it("has the keys of version 2.0.0", () => {
    assert.deepEqual(Object.keys(data), [
      "metadata",
      "experiment",
      "topology",
      "performance",
      "system_metrics",
      "raw_events",
    ]);
    assert.deepEqual(data.metadata, {
      exported_at: "2026-01-01T00:00:00.000000Z",
      exporter_version: "2.0.0",
      node_id: "ams-1",
      region: "ams",
      nodes_reporting: ["ams-1"],
      nodes_missing: ["fra-2"],
    });
    const { configuration, ...facts } = data.experiment;
    assert.deepEqual(facts, {
      id: "run",
      started_at: "2026-01-01T00:00:00.000000Z",
      ended_at: "2026-01-01T00:00:12.500000Z",
      duration_seconds: 12.5,
      message_count: 3,
      send_count: 2,
      ack_count: 1,
      success_rate: 50,
    });
    assert.deepEqual(
      [configuration?.message_count, configuration?.interval_ms, configuration?.transport],
      [10, 1000, "gossip"],
    );
    assert.deepEqual(data.topology, {
      node_count: 2,
      nodes: ["ams-1", "fra-2"],
      regions: ["ams", "fra"],
      region_count: 2,
    });
    assert.deepEqual(Object.keys(data.performance).sort(), [
      "latency",
      "latency_histogram",
      "message_flows",
      "per_node_performance",
      "rtt_time_series",
      "summary",
    ]);
    assert.deepEqual(data.performance.latency, {
      min_ms: 80,
      max_ms: 80,
      avg_ms: 80,
      median_ms: 80,
      p95_ms: 80,
      p99_ms: 80,
      sample_count: 1,
    });
    assert.equal(data.system_metrics[0]?.erlang_processes, 12);
  });

  it("leaves out what is not wanted", () => {
    const { system_metrics } = exportOf("run", RUN, EXPORTER, { ...ALL, include_system_metrics: false });
    assert.deepEqual(system_metrics, []);
  });

  for (const sizes of [[], [0], [1], [2, 0, 1], [3]]) {
    it(`is one JSON text with its raw events behind it, in ${sizes.length} pages of ${sizes}`, async () => {
      const text = await whole("json", JSON.stringify(data, null, 2), sizes);
      const rows = (RUN.rows ?? []).slice(
        0,
        sizes.reduce((a, b) => a + b, 0),
      );
      assert.equal(text, JSON.stringify({ ...data, raw_events: rows.map(eventJson) }, null, 2));
    });
  }

  it("is never written when something stands behind the raw events", async () => {
    await assert.rejects(whole("json", '{"raw_events":[],"more":1}', []), /not the last part/);
  });

  it("of a run that nobody knows has zeros and nulls", () => {
    const nothing = { experiment: null, events: columnsOf([]), rows: [], metrics: [], snapshots: [] };
    const { experiment: facts, performance, topology } = exportOf("none", nothing, EXPORTER, ALL);
    assert.deepEqual(
      [facts.send_count, facts.started_at, facts.duration_seconds, facts.success_rate, facts.configuration],
      [0, null, null, null, null],
    );
    assert.deepEqual([performance.latency.p95_ms, topology.node_count], [null, 0]);
  });

  it("has the same figures in CSV as in JSON", async () => {
    const [header, ...rows] = read(await whole("csv", experimentCsv(data), [1, 2]));
    assert.deepEqual(header, ["section", "key", "field", "value"]);
    const value = (section: string, key: string, field: string) =>
      rows.find((row) => row[0] === section && row[1] === key && row[2] === field)?.[3];
    assert.equal(value("metadata", "", "exporter_version"), "2.0.0");
    assert.equal(value("experiment", "", "success_rate"), "50");
    assert.equal(value("experiment", "", "configuration.transport"), "gossip");
    assert.equal(value("performance.latency", "", "p95_ms"), "80");
    assert.equal(value("performance.per_node_performance", "fra-2", "p99_ms"), "80");
    assert.equal(value("performance.latency_histogram", "50-100", "count"), "1");
    assert.equal(value("performance.rtt_time_series", "fra-2", "0"), "80");
    assert.equal(value("performance.message_flows", "ams-1 > fra-2", "message_count"), "1");
    assert.equal(value("system_metrics", "0", "cpu_percent"), "1.5");
    assert.equal(value("raw_events", "1", "target_node"), "fra-2");
    assert.equal(value("raw_events", "1", "event_timestamp"), "2026-01-01T00:00:00.080000Z");
    assert.equal(value("raw_events", "2", "message_id"), "m2");
    assert.equal(value("raw_events", "0", "target_node"), "");
  });

  it("brings hostile names of nodes through CSV", () => {
    const name = '=cmd(),"\r\n';
    const hostile = records([sent("m", "ams-1", T0), acked("m", "ams-1", name, T0 + 5)]);
    const rows = read(experimentCsv(exportOf("run", hostile, EXPORTER, ALL)));
    assert.ok(
      rows.some(([section, key]) => section === "performance.per_node_performance" && key === `'${name}`),
    );
  });
});

describe("A comparison of runs", () => {
  it("has a line for each, in JSON and in CSV", () => {
    const runs = [
      comparedOf("run", RUN),
      comparedOf("none", { experiment: null, events: columnsOf([]), rows: null, metrics: [], snapshots: [] }),
    ];
    assert.deepEqual(read(comparisonCsv(runs)), [
      [
        "Experiment ID",
        "Started At",
        "Duration (s)",
        "Nodes",
        "Messages",
        "Acks",
        "Success Rate",
        "Avg Latency (ms)",
        "P95 Latency (ms)",
      ],
      ["run", "2026-01-01T00:00:00.000000Z", "12.5", "2", "2", "1", "50", "80", "80"],
      ["none", "", "", "0", "0", "0", "", "", ""],
    ]);
    const { count, experiments, metadata } = comparisonOf(runs, EXPORTER);
    assert.deepEqual([count, experiments, metadata.exporter_version], [2, runs, "2.0.0"]);
  });
});

describe("The file of an export", () => {
  it("is named after its run", () => {
    assert.equal(experimentFile("a.B-c_1", "csv", "").filename, "experiment_a.B-c_1.csv");
    assert.equal(comparisonFile("json", "").filename, "experiment_comparison.json");
  });

  it("is refused for an id that no run may have", () => {
    const hostile = ["", ".", "..", "../x", "a/b", 'a"b', "a\r\nSet-Cookie: x", "a b", "é", "x".repeat(65)];
    for (const id of hostile) {
      assert.throws(
        () => experimentFile(id, "json", ""),
        (error: unknown) => failureType(error) === "invalid_request",
        id,
      );
    }
  });
});

describe("The events of several nodes", () => {
  const name = ({ message_id, target_node }: MessageEvent) => `${message_id}\n${target_node ?? ""}`;
  const sorted = (rows: readonly MessageEventRow[]) =>
    rows.toSorted((a, b) => Buffer.compare(Buffer.from(name(a)), Buffer.from(name(b))));

  /** As a store answers: in the order of the keys, some at a time, perhaps with an empty page at the end. */
  function source(node_id: string, events: readonly MessageEvent[], size: number): EventSource {
    const rows = sorted(once(events).map((event, i) => ({ ...event, id: i, inserted_at: T0 })));
    return {
      node_id,
      async page(after) {
        const from =
          after === null
            ? 0
            : rows.findIndex(
                (row) => row.message_id === after.message_id && row.target_node === after.target_node,
              ) + 1;
        const page = rows.slice(from, from + size);
        const last = page.at(-1);
        return { rows: page, next: page.length < size || !last ? null : last };
      },
    };
  }

  it("are those of the merged parts, in the order of their keys, whatever the pages are", async () => {
    const node = fc.constantFrom("n1", "n2", "n3");
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ node, events: runEvents, size: fc.integer({ min: 1, max: 5 }) }), {
          maxLength: 4,
        }),
        async (given) => {
          const nodes = [...new Map(given.map((one) => [one.node, one])).values()];
          const merged = mergeParts(
            nodes.map(({ node: node_id, events }) => ({
              ...records(events, {
                rows: once(events).map((event, i) => ({ ...event, id: i, inserted_at: T0 })),
              }),
              node_id,
            })),
          );
          const sources = nodes.map(({ node: id, events, size }) => source(id, events, size));
          const rows = (await Array.fromAsync(mergeEvents(sources))).flat();
          assert.deepEqual(rows, sorted(merged.rows ?? []));
        },
      ),
    );
  });

  it("end with the failure of a node that does not answer any more", async () => {
    const gone: EventSource = { node_id: "n2", page: () => Promise.reject(new Error("n2 is away")) };
    await assert.rejects(
      Array.fromAsync(mergeEvents([source("n1", [sent("a", "n1", T0)], 1), gone])),
      /n2 is away/,
    );
  });
});
