/** @module A node's analytics file: what is kept, what SQL says of it, and what it survives. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once as happens } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { columnsOf } from "../../services/analytics/columns.ts";
import type { ExperimentRow, MessageEvent, ReportKind } from "../../services/analytics/contract.ts";
import { packPart, unpackPart } from "../../services/analytics/parts.ts";
import { reportOf } from "../../services/analytics/reports.ts";
import { mergeExperiments } from "../../services/analytics/run-records.ts";
import { openStore, type StoreOperations } from "../../services/analytics/store/operations.ts";
import { SCHEMA_VERSION } from "../../services/analytics/store/schema.ts";
import { acked, experiment, once, runEvents, sent, T0 } from "../helpers/run-events.ts";

const KINDS: readonly ReportKind[] = ["summary", "timing", "metrics", "events", "topology", "performance"];
const FIGURES = ["summary", "timing", "performance"] as const;
const PROGRAM = fileURLToPath(new URL("../helpers/recording-program.ts", import.meta.url));

function record(
  store: StoreOperations,
  events: readonly MessageEvent[],
  experiments: readonly ExperimentRow[] = [],
) {
  const stamped = events.map((event) => ({ ...event, inserted_at: T0 }));
  store.write({ events: stamped, metrics: [], snapshots: [], experiments });
}

describe("Reports of one node's file", () => {
  it("are those of the pure maths, whatever was recorded", () => {
    fc.assert(
      fc.property(runEvents, fc.option(fc.subarray(["n1", "n2", "n9"])), (events, atStart) => {
        const store = openStore(":memory:", "n1");
        const row = atStart && experiment({ expected_nodes: atStart });
        record(store, events, row ? [row] : []);
        // Another run must not show in it.
        record(store, [sent("other", "n7", T0, "other"), acked("other", "n7", "n8", T0, null, "other")]);
        const pure = { experiment: row, events: columnsOf(events), rows: null, metrics: [], snapshots: [] };
        for (const kind of FIGURES)
          assert.deepEqual(store.report("run", kind, []), reportOf(pure, kind), kind);
        store.close();
      }),
      { numRuns: 200 },
    );
  });

  it("are the same when several nodes hold the events, some of them twice", () => {
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
        const whole = openStore(":memory:", "n1");
        record(whole, events);
        const parts = [0, 1, 2].map((part) => {
          const store = openStore(":memory:", `n${part + 1}`);
          record(
            store,
            events.filter((_, i) => places[i]?.includes(part)),
          );
          const packed = store.part("run", true);
          store.close();
          return packed;
        });
        for (const kind of FIGURES) {
          assert.deepEqual(whole.report("run", kind, parts), whole.report("run", kind, []), kind);
        }
        assert.equal(whole.report("run", "events", parts).count, events.length);
        whole.close();
      }),
      { numRuns: 60 },
    );
  });

  it("have zeros and empty lists for a run that nobody knows", () => {
    const store = openStore(":memory:", "n1");
    assert.deepEqual(store.report("none", "summary", []), {
      topology_snapshots_count: 0,
      message_count: 0,
      send_count: 0,
      ack_count: 0,
      system_metrics_count: 0,
      ack_rate: null,
      remote_node_count: 0,
      experiment: null,
    });
    assert.deepEqual(store.report("none", "timing", []), { timing_stats: [], count: 0 });
    assert.deepEqual(store.report("none", "events", []), { message_events: [], count: 0 });
    assert.deepEqual(store.report("none", "metrics", []), { system_metrics: [], count: 0 });
    assert.deepEqual(store.report("none", "topology", []), { topology_snapshots: [], count: 0 });
    assert.equal(store.report("none", "performance", []).latency.sample_count, 0);
    for (const kind of KINDS) {
      assert.deepEqual(
        store.report("none", kind, [store.part("none", true)]),
        store.report("none", kind, []),
        kind,
      );
    }
    store.close();
  });

  it("show times in microseconds, and null where there is none", () => {
    const store = openStore(":memory:", "n1");
    record(store, [sent("m", "n1", T0 + 1), acked("m", "n1", "n2", T0 + 1234, T0 + 7)]);
    const [send, ack] = store.report("run", "events", []).message_events;
    assert.deepEqual(
      [send?.event_timestamp, send?.receipt_timestamp, send?.target_node, ack?.receipt_timestamp],
      ["2026-01-01T00:00:00.000001Z", null, null, "2026-01-01T00:00:00.000007Z"],
    );
    const [timing] = store.report("run", "timing", []).timing_stats;
    assert.deepEqual(timing, {
      message_id: "m",
      send_time: "2026-01-01T00:00:00.000001Z",
      ack_count: 1,
      min_latency_ms: 1.233,
      max_latency_ms: 1.233,
      avg_latency_ms: 1.233,
    });
    store.close();
  });

  it("merge metrics and snapshots on node and id", () => {
    const parts = ["n1", "n2"].map((node_id) => {
      const store = openStore(":memory:", node_id);
      const metric = {
        experiment_id: "run",
        node_id,
        cpu_percent: 1.5,
        memory_mb: 80,
        runtime_handles: 12,
        corrosion_connections: 1,
        message_queue_length: 0,
        event_loop_lag_ms: 0.25,
        inserted_at: T0,
      };
      const snapshot = {
        experiment_id: "run",
        node_id,
        bootstrap_peers: ["a:1", "[::1]:2"],
        transaction_size_bytes: null,
        transaction_frequency_ms: 50,
        inserted_at: T0,
        updated_at: T0,
      };
      store.write({ events: [], metrics: [metric, metric], snapshots: [snapshot], experiments: [] });
      const packed = store.part("run", false);
      store.close();
      return packed;
    });
    const [one, two] = parts as [Uint8Array, Uint8Array];
    const store = openStore(":memory:", "n1");
    const { count, system_metrics } = store.report("run", "metrics", [one, two, one]);
    assert.deepEqual([count, system_metrics[0]?.erlang_processes], [4, 12]);
    const { topology_snapshots } = store.report("run", "topology", [two, one]);
    assert.deepEqual(
      topology_snapshots.map(({ bootstrap_peers, node_id }) => [node_id, bootstrap_peers]),
      [
        ["n1", ["a:1", "[::1]:2"]],
        ["n2", ["a:1", "[::1]:2"]],
      ],
    );
    store.close();
  });
});

describe("A packed part of a run", () => {
  it("is unpacked as it was, and refused when it is cut off", () => {
    const store = openStore(":memory:", "n1");
    record(store, [sent("m", "n1", T0), acked("m", "n1", "n2", T0 + 5)], [experiment()]);
    const packed = store.part("run", true);
    assert.deepEqual(packPart(unpackPart(packed)), packed);
    assert.throws(() => unpackPart(packed.subarray(0, packed.length - 5)));
    store.close();
  });
});

describe("The list of runs", () => {
  it("counts copies of a node's records once, and shows runs of which only events are known", () => {
    const stores = ["n1", "n2", "n3"].map((id) => openStore(":memory:", id));
    const [one, two, three] = stores as [StoreOperations, StoreOperations, StoreOperations];
    const events = [sent("a", "n1", T0 + 5), acked("a", "n1", "n2", T0 + 9)];
    record(one, events, [experiment({ owner_node: "n2", status: "running" })]);
    record(
      two,
      [...events, sent("b", "n2", T0 + 7)],
      [experiment({ owner_node: "n2", status: "completed" })],
    );
    record(three, [sent("c", "n3", T0 - 5, "older")]);
    assert.deepEqual(
      mergeExperiments(stores.flatMap((store) => store.experiments(null))).map((run) => [
        run.experiment_id,
        run.experiment?.status ?? null,
        run.sends,
        run.acks,
        run.first,
        run.last,
      ]),
      [
        ["run", "completed", 2, 1, T0 + 5, T0 + 9],
        ["older", null, 1, 0, T0 - 5, T0 - 5],
      ],
    );
    assert.equal(two.experiments("none").length, 0);
    for (const store of stores) store.close();
  });
});

describe("An analytics file", () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fpa-"));
    path = join(folder, "deep", "analytics.db");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function inspect<T>(look: (db: DatabaseSync) => T): T {
    const db = new DatabaseSync(path);
    try {
      return look(db);
    } finally {
      db.close();
    }
  }

  it("is made with its folder, in WAL mode, with the tables of the contract", () => {
    openStore(path, "n1").close();
    const columns = (table: string) =>
      inspect((db) => db.prepare(`SELECT name FROM pragma_table_info('${table}')`).all()).map(
        ({ name }) => name,
      );
    assert.equal(inspect((db) => db.prepare("PRAGMA journal_mode").get())?.journal_mode, "wal");
    assert.deepEqual(
      columns("message_events").join(),
      "id,message_id,experiment_id,originating_node,target_node,event_type,region,transaction_size_hint,event_timestamp,receipt_timestamp,inserted_at",
    );
    assert.deepEqual(
      columns("experiments").join(),
      "id,status,owner_node,transport,message_count,interval_ms,payload_bytes,sent_count,failed_count,expected_nodes,run_count,started_at,ended_at,error",
    );
    assert.deepEqual(
      columns("system_metrics").join(),
      "id,experiment_id,node_id,cpu_percent,memory_mb,runtime_handles,corrosion_connections,message_queue_length,event_loop_lag_ms,inserted_at",
    );
    assert.deepEqual(
      columns("topology_snapshots").join(),
      "id,experiment_id,node_id,bootstrap_peers,transaction_size_bytes,transaction_frequency_ms,inserted_at,updated_at",
    );
    assert.deepEqual(columns("meta"), ["key", "value"]);
  });

  it("of a console that only kept its queries is brought up to date, and keeps them", () => {
    openStore(path, "n1").close();
    inspect((db) =>
      db.exec(`DROP TABLE message_events; DROP TABLE experiments; DROP TABLE system_metrics;
        DROP TABLE topology_snapshots; DROP TABLE meta; PRAGMA user_version = 0;
        INSERT INTO console_runs (at, sql, params, mode) VALUES (${T0}, 'SELECT 1', 'null', 'read')`),
    );
    const store = openStore(path, "n1");
    record(store, [sent("m", "n1", T0)]);
    assert.deepEqual(
      store.runs(5).map(({ at, sql }) => [at, sql]),
      [["2026-01-01T00:00:00.000000Z", "SELECT 1"]],
    );
    store.close();
    assert.equal(inspect((db) => db.prepare("PRAGMA user_version").get())?.user_version, SCHEMA_VERSION);
  });

  it("of every older version is brought up to date with what it holds", () => {
    for (let version = 1; version < SCHEMA_VERSION; version++) {
      openStore(path, "n1").close();
      inspect((db) =>
        db.exec(`DROP INDEX message_events_of_experiment; PRAGMA user_version = ${version};
          INSERT INTO message_events (message_id, experiment_id, originating_node, event_type, event_timestamp, inserted_at)
          VALUES ('m', 'run', 'n1', 'sent', ${T0}, ${T0})`),
      );
      const store = openStore(path, "n1");
      assert.equal(store.report("run", "summary", []).send_count, 1);
      store.close();
    }
  });

  it("of a newer program is refused with what to do, and left as it is", () => {
    openStore(path, "n1").close();
    inspect((db) => db.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`));
    assert.throws(() => openStore(path, "n1"), /newer program, or move the file away/);
    assert.equal(inspect((db) => db.prepare("PRAGMA user_version").get())?.user_version, SCHEMA_VERSION + 1);
  });

  it("keeps the first of what has one unique key, and the last of an experiment", () => {
    const store = openStore(path, "n1");
    record(
      store,
      [acked("m", "n1", "n2", T0 + 5), acked("m", "n1", "n2", T0 + 9)],
      [experiment({ sent_count: 1 })],
    );
    record(store, [acked("m", "n1", "n2", T0 + 7)], [experiment({ sent_count: 2 })]);
    const { message_events } = store.report("run", "events", []);
    assert.deepEqual(
      message_events.map(({ event_timestamp }) => event_timestamp),
      ["2026-01-01T00:00:00.000005Z"],
    );
    assert.equal(store.report("run", "summary", []).experiment?.sent_count, 2);
    store.close();
  });

  it("writes all of a batch or nothing", () => {
    const store = openStore(path, "n1");
    // A validator keeps such a row away; the file does not rely on it.
    const broken = { ...sent("b", "n1", T0), originating_node: null as unknown as string };
    assert.throws(() => record(store, [sent("a", "n1", T0), broken]), /NOT NULL/);
    assert.equal(store.report("run", "summary", []).send_count, 0);
    record(store, [sent("a", "n1", T0)]);
    assert.equal(store.report("run", "summary", []).send_count, 1);
    store.close();
  });

  it("marks what a killed node left unfinished, and nothing else", () => {
    const states = ["running", "finalizing", "completed", "stopped", "failed"] as const;
    const store = openStore(path, "n1");
    record(
      store,
      [],
      states.map((status) => experiment({ id: status, status, ended_at: status === "stopped" ? T0 : null })),
    );
    assert.equal(store.interrupt(), 2);
    const after = new Map(store.experiments(null).map(({ experiment: row }) => [row?.id, row]));
    assert.deepEqual(
      states.map((id) => after.get(id)?.status),
      ["interrupted", "interrupted", "completed", "stopped", "failed"],
    );
    assert.ok((after.get("running")?.ended_at ?? 0) > T0);
    assert.equal(store.interrupt(), 0);
    store.close();
  });

  it("loses a run in slices, and no other run", () => {
    const store = openStore(path, "n1");
    const many = Array.from({ length: 25_000 }, (_, i) => sent(`m${i}`, "n1", T0 + i));
    record(store, [...many, sent("other", "n1", T0, "other")], [experiment(), experiment({ id: "other" })]);
    assert.deepEqual(store.remove("run"), { experiments: 0, rows: 20_000, more: true });
    assert.deepEqual(store.remove("run"), { experiments: 1, rows: 5000, more: false });
    assert.deepEqual(
      store.experiments(null).map(({ experiment_id }) => experiment_id),
      ["other"],
    );
    assert.deepEqual(store.remove(null), { experiments: 1, rows: 1, more: false });
    assert.deepEqual(store.experiments(null), []);
    store.close();
  });

  it("holds what was flushed when its process was killed", async () => {
    for (const atLeast of [1, 2000]) {
      const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", PROGRAM, path], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const exit = happens(child, "exit");
      let printed = "";
      for await (const text of child.stdout.setEncoding("utf8")) {
        printed += String(text);
        if (printed.split("\n").length > atLeast / 50) child.kill("SIGKILL");
      }
      assert.equal((await exit)[1], "SIGKILL");
      const flushed = Number(printed.trimEnd().split("\n").at(-1));
      const store = openStore(path, "n1");
      assert.ok(store.report("run", "summary", []).send_count >= flushed && flushed >= atLeast);
      assert.deepEqual(
        inspect((db) => db.prepare("PRAGMA integrity_check").get()),
        Object.assign(Object.create(null), { integrity_check: "ok" }),
      );
      store.close();
      rmSync(join(folder, "deep"), { recursive: true });
    }
  });
});
