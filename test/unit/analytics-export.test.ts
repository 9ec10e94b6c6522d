/** @module Exports of runs: their keys, and that a CSV reader of another make reads back what was written. */
import assert from "node:assert/strict";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { failureType } from "../../lib/corrosion/failures.ts";
import { type CsvValue, csvFile } from "../../lib/csv.ts";
import { columnsOf } from "../../services/analytics/columns.ts";
import type { MessageEvent } from "../../services/analytics/contract.ts";
import { comparedOf, comparisonCsv, comparisonOf } from "../../services/analytics/export/comparison.ts";
import { exportOf } from "../../services/analytics/export/experiment.ts";
import { experimentCsv } from "../../services/analytics/export/experiment-csv.ts";
import { comparisonFile, experimentFile } from "../../services/analytics/export/file.ts";
import type { RunRecords } from "../../services/analytics/run-records.ts";
import { acked, experiment, sent, T0 } from "../helpers/run-events.ts";

/** As RFC 4180 has it, and no more forgiving. */
const read = (text: string): string[][] =>
  parse(text, { record_delimiter: "\r\n", relax_column_count: false, skip_empty_lines: false });
/** What a reader finds where a text was written. */
const guarded = (value: CsvValue): string =>
  value === null ? "" : typeof value === "string" && /^[=+\-@]/.test(value) ? `'${value}` : String(value);

const EXPORTER = { node_id: "ams-1", region: "ams", at: T0 };
const ALL = { include_raw_events: true, include_system_metrics: true };

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
    assert.equal(data.raw_events[1]?.event_timestamp, "2026-01-01T00:00:00.080000Z");
  });

  it("leaves out what is not wanted, and never takes missing rows for none", () => {
    const without = { include_raw_events: false, include_system_metrics: false };
    const { raw_events, system_metrics } = exportOf("run", records([], { rows: null }), EXPORTER, without);
    assert.deepEqual([raw_events, system_metrics], [[], []]);
    assert.throws(() => exportOf("run", records([], { rows: null }), EXPORTER, ALL), /hold only figures/);
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

  it("has the same figures in CSV as in JSON", () => {
    const [header, ...rows] = read(experimentCsv(data));
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
