/** @module Faults of nodes, NATS servers and Postgres, one after the other, under load and with readers on sockets. */
import assert from "node:assert/strict";
import { groupOf } from "../../lib/ids.ts";
import { type Answer, request } from "../helpers/http.ts";
import { until } from "../helpers/until.ts";
import { type Fault, faults } from "./faults.ts";
import { faultSeed, Ground, replayHint } from "./ground.ts";
import { mix } from "./mix.ts";
import { type Trial, underLoad } from "./trial.ts";

/** `npm test` has no time for an outage of half a minute. */
const OUTAGE_MS = Number(process.env.FLEET_FAULT_OUTAGE_MS ?? 8000);
const SLEEP_MS = 10_000;
const CUT_MS = 8000;
/** `npm run soak` is the long one. */
const MIX_MS = 20_000;

const seed = faultSeed();
const hint = replayHint(seed, "test:faults");

describe(`three nodes over three NATS servers, under load (${hint})`, function () {
  this.timeout(240_000);
  let ground: Ground;

  before(async () => {
    ground = await Ground.start(seed);
  });

  after(() => ground?.stop());

  /** Strikes, lets appends go on in every session while the fault lasts, heals, and checks everything. */
  async function survives(fault: Fault, lastsMs: number): Promise<void> {
    await underLoad(ground, hint, async (trial: Trial) => {
      const heal = await fault.strike(ground);
      await Promise.all([trial.goesOn(), ground.last(lastsMs)]);
      await heal();
    });
  }

  it("loses, doubles and reorders nothing when a leading node is killed", () =>
    survives(faults.killLeader, 0));

  it("loses, doubles and reorders nothing when a leading node sleeps for 10 s and wakes", () =>
    survives(faults.sleepLeader, SLEEP_MS));

  it("loses, doubles and reorders nothing when a NATS server that leads a stream is killed", () =>
    survives(faults.killStreamLeader, 0));

  it("loses, doubles and reorders nothing when a leading node is cut off from NATS and the others", () =>
    survives(faults.severNode, CUT_MS));

  it("loses, doubles and reorders nothing when a leading node's packets arrive many seconds late", () =>
    survives(faults.freezeNode, CUT_MS));

  it("takes appends while Postgres hangs, and archives everything afterwards", () =>
    survives(faults.stopPostgres, OUTAGE_MS));

  it("takes appends while Postgres is killed and started again, and archives everything afterwards", () =>
    survives(faults.crashPostgres, 0));

  it("loses, doubles and reorders nothing in a mix of all faults", async () => {
    await mix(ground, MIX_MS, hint);
  });

  it("has everything after all nodes, all NATS servers and Postgres were killed at once", async () => {
    await underLoad(ground, hint, async () => {
      const heal = await faults.killEverything.strike(ground);
      await heal();
    });
  });

  // The last one: it changes limits under load, and copies of a stream may differ by what they refused meanwhile.
  it("refuses appends to a full log and says why, while its sessions can be read and other groups go on", async () => {
    const refusals: Answer[] = [];
    await underLoad(ground, hint, async (trial) => {
      const full = new Set(await ground.fillLogs());
      ground.note(`the logs of groups ${[...full].join(", ")} have little room`);
      const isFull = (session: string) => full.has(groupOf(session, ground.cluster.groups));
      await trial.goesOn(5, (session) => !isFull(session));
      const path = `/api/sessions/${trial.sessions.find(isFull)}/messages`;
      // Who is no participant: a log that takes appends answers 403, one that is full cannot say.
      const append = (url: string) =>
        request(url, "POST", path, { user_id: "nobody", content: { text: "x".repeat(10_000) } });
      for (const url of ground.urls()) {
        const refusal = await until(`${url} refuses`, async () => {
          const answer = await append(url);
          return answer.status === 403 ? null : answer;
        });
        assert.ok(refusal.status === 503 || refusal.status === 504, JSON.stringify(refusal.body));
        refusals.push(refusal);
        assert.equal((await request(url, "GET", path)).status, 200);
      }
      ground.note("the logs have room again");
      await ground.makeRoom();
    });
    for (const { status, body } of refusals) {
      assert.deepEqual([status, body.code], [503, "leader_unavailable"], JSON.stringify(body));
      assert.match(body.error, /\bfull\b.*nothing was written/i);
    }
  });
});
