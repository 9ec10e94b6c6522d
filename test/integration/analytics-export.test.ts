/** @module The export of a run that is too large for memory: it comes as fast as it is read, and ends with its reader. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Context, ServiceBroker } from "moleculer";
import aggregator from "../../services/analytics/aggregator.service.ts";
import type { MessageEventJson } from "../../services/analytics/bodies.ts";
import { openDatabase } from "../../services/analytics/store/database.ts";
import storeService from "../../services/analytics/store.service.ts";
import gateway from "../../services/gateway/gateway.service.ts";
import { testBroker } from "../helpers/gateway.ts";
import { T0 } from "../helpers/run-events.ts";
import { until } from "../helpers/until.ts";

const MESSAGES = 30_000;
const ACKS = 9;
const EVENTS = MESSAGES * (ACKS + 1);
const LIMIT_BYTES = 200 * 1024 * 1024;
const SMALL = "include_raw_events=false";

function fill(path: string): void {
  const db = openDatabase(path);
  db.exec(`
    PRAGMA synchronous = OFF;
    INSERT INTO message_events (message_id, experiment_id, originating_node, target_node, event_type, region,
      transaction_size_hint, event_timestamp, receipt_timestamp, inserted_at)
    WITH RECURSIVE
      m(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM m WHERE i < ${MESSAGES - 1}),
      t(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM t WHERE j < ${ACKS})
    SELECT 'node1_' || (1767225600000 + i), 'run', 'node1', iif(j = 0, NULL, 'node' || (j + 1)),
      iif(j = 0, 'sent', 'acked'), 'dev', 100, ${T0} + i * 1000 + j, NULL, ${T0}
    FROM m, t`);
  db.close();
}

/** Memory that the process has in RAM now. */
function resident(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024;
}

describe("The export of 300,000 events", function () {
  this.timeout(180_000);
  let folder: string;
  let broker: ServiceBroker;
  let pages = 0;
  let failing = false;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "fpa-"));
    broker = testBroker({ env: { FLEETPORT_ENV: "dev", DATA_DIR: folder }, nodeId: "node1" }).broker;
    broker.createService({
      ...storeService,
      hooks: {
        before: {
          events(_ctx: Context) {
            if (failing && pages > 3) throw new Error("the store is gone");
            pages += 1;
          },
        },
      },
    });
    broker.createService(aggregator);
    broker.createService(gateway);
    fill(join(folder, "node1", "analytics.db"));
    await broker.start();
  });
  beforeEach(() => {
    pages = 0;
    failing = false;
  });
  after(async () => {
    await broker?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const url = (query: string) =>
    `${String(broker.metadata.url)}/api/analytics/experiments/run/export?${query}`;

  async function open(query: string, method = "GET"): Promise<IncomingMessage> {
    const asked = request(url(query), { method, agent: false });
    asked.end();
    const { promise, reject, resolve } = Promise.withResolvers<IncomingMessage>();
    asked.once("response", resolve).once("error", reject);
    return promise;
  }

  for (const format of ["json", "csv"]) {
    it(`as ${format} needs little more memory than one without its events`, async function () {
      if (process.platform !== "linux") return this.skip();
      await (await fetch(url(`format=${format}&${SMALL}`))).arrayBuffer();
      const before = resident();
      let [most, bytes] = [before, 0];
      for await (const piece of await open(`format=${format}`)) {
        bytes += (piece as Buffer).length;
        most = Math.max(most, resident());
      }
      const more = Math.round((most - before) / 1048576);
      assert.ok(bytes > EVENTS * 200, `${bytes} bytes`);
      assert.ok(most - before < LIMIT_BYTES, `${more} MiB more`);
      console.log(`      ${Math.round(bytes / 1048576)} MiB in ${more} MiB more`);
    });
  }

  it("is whole as JSON, with every event once in the order of its messages", async () => {
    const whole = (await (await fetch(url(""))).json()) as {
      experiment: { message_count: number };
      raw_events: MessageEventJson[];
    };
    assert.equal(whole.experiment.message_count, EVENTS);
    const keys = whole.raw_events.map(({ message_id, target_node }) => `${message_id} ${target_node ?? ""}`);
    assert.equal(new Set(keys).size, EVENTS);
    assert.deepEqual(keys, keys.toSorted());
  });

  it("waits for a reader that is slow, and ends when that goes away", async () => {
    const response = await open("");
    await new Promise((resolve) => response.once("readable", resolve));
    const still = async (what: string) => {
      let before = -1;
      await until(what, () => {
        const same = before === pages;
        before = pages;
        return same;
      });
      return pages;
    };
    const unread = await still("no page is asked for that nobody reads");
    assert.ok(unread > 0 && unread < 100, `${unread} of 300 pages`);
    let bytes = 0;
    for await (const piece of response) {
      bytes += (piece as Buffer).length;
      // Leaving the loop closes the connection.
      if (bytes > 20_000_000) break;
    }
    const left = await still("no page is asked for any more");
    assert.ok(left > unread && left < 200, `${left} of 300 pages`);
  });

  it("ends with a broken connection when a node fails on the way, and never as if it were whole", async () => {
    failing = true;
    const response = await open("format=csv");
    assert.equal(response.statusCode, 200);
    await assert.rejects(response.toArray(), /aborted|ECONNRESET/);
  });

  it("reads nothing for a HEAD", async () => {
    const response = await open("", "HEAD");
    assert.match(String(response.headers["content-disposition"]), /experiment_run\.json/);
    assert.deepEqual(await response.toArray(), []);
    assert.ok(pages <= 2, `${pages} pages`);
  });
});
