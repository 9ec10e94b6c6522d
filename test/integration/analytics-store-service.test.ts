/** @module The store as its node's actors meet it: batches, reads, parts over the bus, a file that cannot be used. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import { stopAll } from "../../bin/stop-node.ts";
import { MAX_CALL_BYTES } from "../../lib/bus-limits.ts";
import { failureType } from "../../lib/corrosion/failures.ts";
import type { PerformanceBody, SummaryBody } from "../../services/analytics/bodies.ts";
import type {
  EventPage,
  MessageEvent,
  PartChunk,
  Recorded,
  StoreStatus,
} from "../../services/analytics/contract.ts";
import type { ExportFile } from "../../services/analytics/export/file.ts";
import metricsService from "../../services/analytics/metrics.service.ts";
import { gatherPart, unpackPart } from "../../services/analytics/parts.ts";
import storeService from "../../services/analytics/store.service.ts";
import { actors } from "../helpers/console.ts";
import { testBroker } from "../helpers/gateway.ts";
import { acked, experiment, sent, T0 } from "../helpers/run-events.ts";
import { until } from "../helpers/until.ts";

describe("The store of a node", function () {
  this.timeout(60_000);
  let folder: string;
  const brokers: ServiceBroker[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fpa-"));
  });
  afterEach(async () => {
    await Promise.all(brokers.splice(0).map((broker) => broker.stop()));
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(environment = "dev", settings: object = {}): Promise<ServiceBroker> {
    const { broker } = testBroker({ env: { FLEETPORT_ENV: environment, DATA_DIR: folder } });
    broker.createService({ ...storeService, settings: { ...storeService.settings, ...settings } });
    await broker.start();
    brokers.push(broker);
    return broker;
  }
  const call = <T>(broker: ServiceBroker, action: string, params: object = {}) =>
    broker.call<T, object>(`analytics.store.${action}`, params);
  const record = (broker: ServiceBroker, recorded: Recorded) =>
    call<{ accepted: number }>(broker, "record", recorded);
  const sends = async (broker: ServiceBroker) =>
    (await call<SummaryBody>(broker, "query", { experiment_id: "run", kind: "summary" })).send_count;
  const file = () => {
    const db = new DatabaseSync(join(folder, "node1", "analytics.db"));
    return {
      rows: () => Number(db.prepare("SELECT count(*) AS n FROM message_events").get()?.n),
      close: () => db.close(),
    };
  };

  it("has the last sample of a node that is stopped while a run is on", async () => {
    const { broker } = testBroker({ env: { FLEETPORT_ENV: "dev", DATA_DIR: folder } });
    const others = actors({
      "corrosion.node.connections": () => ({ open: 2 }),
      // Another node of the machine may be slow to answer while all of them end.
      "acks.sender.status": async () => {
        await setImmediate();
        return { node_id: broker.nodeID, queued: 3 };
      },
    });
    for (const schema of [storeService, metricsService, ...others]) broker.createService(schema);
    await broker.start();
    await broker.call("metrics.system.start", { experiment_id: "run" });
    await stopAll([broker]);
    const db = new DatabaseSync(join(folder, "node1", "analytics.db"));
    const samples = db.prepare("SELECT message_queue_length AS queued FROM system_metrics").all();
    db.close();
    assert.deepEqual(
      samples.map(({ queued }) => queued),
      [3],
    );
  });

  it("shows what was recorded in the next read, however long a batch waits", async () => {
    const broker = await start("dev", { intervalMs: 3_600_000 });
    assert.deepEqual(await record(broker, { events: [sent("a", "n1", T0)] }), { accepted: 1 });
    assert.equal(await sends(broker), 1);
  });

  it("writes a batch by itself", async () => {
    const broker = await start();
    await record(broker, { events: [sent("a", "n1", T0), sent("b", "n1", T0)] });
    const { close, rows } = file();
    await until("both rows are in the file", () => rows() === 2, 5000);
    close();
  });

  it("writes what waits when its node stops, and marks its run at the next start", async () => {
    const broker = await start("dev", { intervalMs: 3_600_000 });
    await record(broker, { events: [sent("a", "n1", T0)], experiments: [experiment()] });
    await broker.stop();
    const again = await start();
    const body = await call<SummaryBody>(again, "query", { experiment_id: "run", kind: "summary" });
    assert.deepEqual([body.send_count, body.experiment?.status], [1, "interrupted"]);
  });

  it("keeps nothing on disk in tests", async () => {
    const broker = await start("test");
    await record(broker, { events: [sent("a", "n1", T0)] });
    assert.equal(await sends(broker), 1);
    assert.throws(() => file(), /unable to open/);
  });

  it("refuses rows that it could not keep", async () => {
    const broker = await start();
    const good = sent("a", "n1", T0);
    const bad: readonly object[] = [
      { ...good, event_timestamp: 1.5 },
      { ...good, event_timestamp: "now" },
      { ...good, event_type: "lost" },
      { ...good, target_node: "n2" },
      { ...good, event_type: "acked" },
      { ...good, experiment_id: "../../etc" },
      { ...good, originating_node: "a\u001fb" },
      { ...good, message_id: "" },
    ];
    for (const event of bad) {
      await assert.rejects(call(broker, "record", { events: [good, event] }), JSON.stringify(event));
    }
    assert.equal(await sends(broker), 0);
  });

  it("answers while its file cannot be used, and takes rows again when it can", async () => {
    // A folder where the file should be.
    mkdirSync(join(folder, "node1", "analytics.db"), { recursive: true });
    const broker = await start("dev", { retryMs: 20 });
    await record(broker, { events: [sent("a", "n1", T0)] });
    await assert.rejects(sends(broker), (error: unknown) => failureType(error) === "store_unavailable");
    const { ok, problem } = await call<StoreStatus>(broker, "status");
    assert.equal(ok, false);
    assert.match(problem ?? "", /analytics file of node .* cannot be used/);
    rmSync(join(folder, "node1", "analytics.db"), { recursive: true });
    await until("the row that waited is there", async () => (await sends(broker)) === 1);
    assert.deepEqual(await call<StoreStatus>(broker, "status"), { ok: true, problem: null });
  });

  it("loses rows only beyond its capacity", async () => {
    const broker = await start("dev", { capacity: 3, intervalMs: 3_600_000 });
    const two = (name: string) => ({ events: [sent(`${name}1`, "n1", T0), sent(`${name}2`, "n1", T0)] });
    assert.deepEqual(
      [await record(broker, two("a")), await record(broker, two("b"))],
      [{ accepted: 2 }, { accepted: 0 }],
    );
    assert.equal(await sends(broker), 2);
    assert.deepEqual(await record(broker, two("c")), { accepted: 2 });
  });

  it("hands a large part of a run over in messages that the bus carries", async () => {
    const broker = await start();
    // Random times compress badly: the part takes several messages.
    const at = () => T0 + Math.floor(Math.random() * 1e9);
    const events: MessageEvent[] = Array.from({ length: 20_000 }, (_, i) => `m${i}`).flatMap((id) => [
      sent(id, "n1", at()),
      acked(id, "n1", "n2", at(), at()),
      acked(id, "n1", "n3", at(), at()),
    ]);
    for (let from = 0; from < events.length; from += 10_000) {
      await record(broker, { events: events.slice(from, from + 10_000) });
    }
    const sizes: number[] = [];
    const gather = (rows: boolean) =>
      gatherPart(
        async (action, params) => {
          const chunk = await broker.call<PartChunk, object>(action, params);
          sizes.push(Buffer.byteLength(JSON.stringify(chunk)));
          return chunk;
        },
        "run",
        rows,
      );
    const part = await gather(false);
    assert.ok(sizes.length > 1 && Math.max(...sizes) <= MAX_CALL_BYTES, sizes.join());
    assert.equal(unpackPart(part).events.messages.length, 20_000);
    const local = await call<PerformanceBody>(broker, "query", { experiment_id: "run", kind: "performance" });
    const merged = { experiment_id: "run", kind: "performance", parts: [part, part] };
    assert.deepEqual(await call<PerformanceBody>(broker, "query", merged), local);
    await assert.rejects(
      call(broker, "chunk", { token: "none", index: 1 }),
      (error: unknown) => failureType(error) === "not_found",
    );
  });

  it("exports a run as JSON and CSV under its own name, and refuses other names", async () => {
    const broker = await start();
    await record(broker, { events: [sent("a", "n1", T0), acked("a", "n1", "n2", T0 + 9)] });
    const options = { include_system_metrics: true, nodes_reporting: ["dev-node1"], nodes_missing: [] };
    const exported = (experiment_id: string, format: "json" | "csv") =>
      call<ExportFile>(broker, "export", { experiment_id, format, ...options });
    const json = await exported("run", "json");
    assert.equal(json.filename, "experiment_run.json");
    assert.deepEqual((JSON.parse(json.text) as { raw_events: unknown[] }).raw_events, []);
    assert.match((await exported("run", "csv")).text, /^section,key,field,value\r\n/);
    await assert.rejects(
      exported("../run", "csv"),
      (error: unknown) => failureType(error) === "invalid_request",
    );
  });

  it("gives the events of a run in pages that fit the bus, each once, a send before its acknowledgements", async () => {
    const broker = await start();
    const long = "x".repeat(240);
    const events = Array.from({ length: 2500 }, (_, i) => {
      const id = `${long}-${i}`;
      return [acked(id, "n1", "n2", T0), sent(id, "n1", T0), acked(id, "n1", "n10", T0)];
    }).flat();
    await record(broker, { events: [...events, sent("other", "n1", T0, "another")] });
    const found: string[] = [];
    let [after, pages]: [EventPage["next"] | undefined, number] = [undefined, 0];
    while (after !== null) {
      const page: EventPage = await call(broker, "events", { experiment_id: "run", ...(after && { after }) });
      assert.ok(Buffer.byteLength(JSON.stringify(page)) < MAX_CALL_BYTES);
      found.push(...page.rows.map(({ message_id, target_node }) => `${message_id} ${target_node ?? ""}`));
      after = page.next;
      pages += 1;
    }
    assert.ok(pages > 10, `${pages} pages`);
    const wanted = events.map(({ message_id, target_node }) => `${message_id} ${target_node ?? ""}`);
    assert.deepEqual(found, wanted.sort());
  });

  it("deletes one run or all of them", async () => {
    const broker = await start();
    const events = [sent("a", "n1", T0), sent("b", "n1", T0, "other"), sent("c", "n1", T0, "third")];
    await record(broker, { events, experiments: [experiment()] });
    assert.deepEqual(await call(broker, "delete", { experiment_id: "run" }), { experiments: 1, rows: 1 });
    assert.equal(await sends(broker), 0);
    assert.deepEqual(await call(broker, "delete"), { experiments: 0, rows: 2 });
  });

  it("leaves its node free while it reads", async () => {
    const broker = await start();
    const events = Array.from({ length: 50_000 }, (_, i) => sent(`m${i}`, "n1", T0 + i));
    await record(broker, { events });
    await sends(broker);
    let turns = 0;
    const turning = setInterval(() => {
      turns += 1;
    }, 1);
    const body = call<PerformanceBody>(broker, "query", { experiment_id: "run", kind: "performance" });
    await body;
    clearInterval(turning);
    assert.ok(turns > 3, `${turns} turns`);
  });
});
