/** @module What the raft room asks of a slow archive: a waiting caller is answered soon, the archiver's own calls wait. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { ServiceBroker } from "moleculer";
import { errorCode } from "../../lib/errors.ts";
import { archivePort } from "../../services/raft/archive-port.ts";

const SLOW_MS = 300;

describe("What is asked of an archive that answers slowly", () => {
  let broker: ServiceBroker;

  before(async () => {
    const slowly = (answer: unknown) => async () => {
      await delay(SLOW_MS);
      return answer;
    };
    broker = new ServiceBroker({ nodeID: "n1", logger: false });
    broker.createService({
      name: "archive",
      actions: {
        watermark: slowly(7),
        snapshots: slowly({ indexes: [5] }),
        session: slowly(null),
        messages: slowly(null),
      },
    });
    await broker.start();
  });
  after(() => broker.stop());

  it("waits for it on behalf of the archiver and of a recovery, whose work it is", async () => {
    const port = archivePort(broker, SLOW_MS / 10);
    assert.deepEqual(await Promise.all([port.watermark(0), port.snapshots(0)]), [7, [5]]);
  });

  it("does not wait for it on behalf of a caller", async () => {
    const port = archivePort(broker, SLOW_MS / 10);
    const page = { session: "s", after: 0, limit: 1, max_bytes: 1 };
    for (const asked of [port.session(0, "s"), port.messages(page)])
      await assert.rejects(asked, (error) => errorCode(error) === "archive_unavailable");
  });
});
