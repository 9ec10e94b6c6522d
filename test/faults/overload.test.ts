/** @module More appends than nodes may hold while their log hangs: the rest is refused, and every 200 is durable. */
import assert from "node:assert/strict";
import { Cluster } from "../helpers/cluster.ts";
import { type Answer, request } from "../helpers/http.ts";
import { createSessions, readAll } from "../helpers/load.ts";
import { until } from "../helpers/until.ts";

const APPENDS = 300;
const TEXT = "x".repeat(4000);

describe("node processes whose log hangs under load", function () {
  this.timeout(120_000);
  let cluster: Cluster;

  before(async () => {
    cluster = await Cluster.start({
      servers: 1,
      nodes: 2,
      groups: 4,
      env: { FLEET_INFLIGHT_BYTES: "40000", FLEET_APPEND_TIMEOUT_MS: "3000" },
    });
  });

  after(() => cluster?.stop());

  it("answer 429 beyond FLEET_INFLIGHT_BYTES; what they answer 200 is stored once, what they refuse is not", async () => {
    const urls = cluster.nodes.map(({ url }) => url);
    await createSessions(urls[0]!, ["s"]);
    const append = (n: number): Promise<Answer> =>
      request(urls[n % 2]!, "POST", "/api/sessions/s/messages", {
        user_id: "u",
        content: { n, text: TEXT },
        idempotency_key: `k-${n}`,
      });

    const answers: Answer[] = [];
    cluster.nats.pause(0);
    const underWay = Promise.all(
      Array.from({ length: APPENDS }, async (_, n) => {
        answers[n] = await append(n);
      }),
    );
    const early = await until("the nodes refuse some", () => {
      const now = Object.values(answers);
      return now.length > 20 ? now : null;
    });
    assert.deepEqual([...new Set(early.map(({ status }) => status))], [429]);
    cluster.nats.resume(0);
    await underWay;

    const taken = answers.filter(({ status }) => status === 200);
    const refused = answers.filter(({ status }) => status === 429);
    assert.ok(taken.length > 0 && refused.length > 0, `${taken.length} taken, ${refused.length} refused`);
    for (const { body, headers } of refused) {
      assert.equal(body.code, "backpressure");
      assert.ok(Number(headers.get("retry-after")) >= 1 && body.retry_after_ms > 0);
    }

    const stored = await readAll(urls[0]!, "s");
    const places = new Map(stored.map((message) => [message.content.n, message]));
    assert.equal(places.size, stored.length, "nothing is stored twice");
    for (const [n, { status, body }] of answers.entries()) {
      if (status === 200) assert.deepEqual(places.get(n), body.message);
      else if (status === 429 || status === 503) assert.equal(places.get(n), undefined, `${n} was refused`);
      else assert.equal(status, 504);
    }
    // A second try of everything stores what was refused, and nothing else.
    for (let n = 0; n < APPENDS; n++) {
      const { status, body } = await append(n);
      assert.equal(status, 200, JSON.stringify(body));
      assert.equal(body.deduped, places.has(n));
    }
    const all = await readAll(urls[1]!, "s");
    assert.deepEqual(all.slice(0, stored.length), stored);
    assert.equal(all.length, APPENDS);
  });
});
