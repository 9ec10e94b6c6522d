/** @module A full disk below the log: appends are refused, nothing acknowledged is lost, and with room they go on. */
import assert from "node:assert/strict";
import { Cluster } from "../helpers/cluster.ts";
import { startFleet } from "../helpers/fleet.ts";
import { type Answer, request } from "../helpers/http.ts";
import { createSessions, Load } from "../helpers/load.ts";
import { mayMount, type SmallDisk, smallDisk } from "../helpers/small-disk.ts";
import { until } from "../helpers/until.ts";

const SESSIONS = Array.from({ length: 6 }, (_, i) => `disk-${i}`);
const LOAD = { pauseMs: 20, patienceMs: 5000 };
/** Restarted servers elect their leaders first. */
const GOES_ON_MS = 60_000;

/** A session that is not the load's. */
const PROBE = "disk-probe";

/** The first refusal of an append; others may come through while the disk's last pages are used. */
const refused = (url: string): Promise<Answer> =>
  until("an append is refused", async () => {
    const answer = await request(url, "POST", `/api/sessions/${PROBE}/messages`, {
      user_id: "u",
      content: {},
    });
    return answer.status === 200 ? null : answer;
  });

/** Waits until the load has `count` more appends acknowledged. */
function more(load: Load, count: number): Promise<true> {
  const before = load.acknowledged;
  return until(`${count} more appends`, () => load.acknowledged >= before + count, GOES_ON_MS);
}

async function untilUnwritable(url: string): Promise<void> {
  const { body } = await until("the node is not ready", async () => {
    const answer = await request(url, "GET", "/health/ready");
    return answer.status === 503 ? answer : null;
  });
  assert.equal(body.reason, "engine_unwritable");
}

// Where nobody may mount, full streams stand for full disks: see the faults of nodes.
if (mayMount) {
  describe("a full disk", function () {
    this.timeout(240_000);
    let disks: SmallDisk[];
    const makeDisks = (count: number, megabytes: number) => {
      disks = Array.from({ length: count }, () => smallDisk(megabytes));
      return disks.map(({ path }) => path);
    };

    beforeEach(() => {
      disks = [];
    });
    afterEach(() => Promise.all(disks.map((disk) => disk.stop())));

    it("of one NATS server stops no appends; of all, appends are refused, and go on once there is room", async () => {
      const cluster = await Cluster.start({ nodes: 1, groups: 4, stores: makeDisks(3, 32) });
      try {
        const [{ url }] = cluster.nodes as [Cluster["nodes"][0]];
        await createSessions(url, [...SESSIONS, PROBE]);
        const load = new Load(SESSIONS, () => [url], LOAD);
        try {
          await more(load, 100);
          disks[0]!.fill();
          await more(load, 300);
          for (const disk of disks) disk.fill();
          const { status, body } = await refused(url);
          assert.ok(status === 503 || status === 504, `${status} ${JSON.stringify(body)}`);
          await untilUnwritable(url);
          for (const disk of disks) disk.free();
          // A NATS server that met a full disk serves no streams until it is started again.
          await Promise.all([0, 1, 2].map((i) => cluster.nats.kill(i)));
          await Promise.all([0, 1, 2].map((i) => cluster.nats.restart(i)));
          await cluster.nats.healthy();
          await more(load, 100);
        } finally {
          await load.stop();
        }
        // Servers that were restarted may take their time to elect who leads a stream.
        await cluster.settled();
        await load.verify(url);
        await cluster.replicasAgree();
      } finally {
        await cluster.stop();
      }
    });

    it("of an embedded fleet refuses appends and says why, lets what is stored be read, and is survived by all nodes", async () => {
      const [dataDir] = makeDisks(1, 16) as [string];
      const fleet = await startFleet({ nodes: 2, groups: 4, dataDir });
      let refusal: Answer;
      try {
        const [one, two] = fleet.nodes.map(({ url }) => url) as [string, string];
        await createSessions(one, [...SESSIONS, PROBE]);
        const load = new Load(SESSIONS, () => [one, two], LOAD);
        try {
          await more(load, 300);
          disks[0]!.fill();
          refusal = await refused(one);
          const { status, body } = refusal;
          assert.ok(status === 503 || status === 504, `${status} ${JSON.stringify(body)}`);
          const page = await request(two, "GET", `/api/sessions/${SESSIONS[0]}/messages?tail=10`);
          assert.equal(page.body.messages.length, 10);
          await untilUnwritable(one);
          disks[0]!.free();
          await more(load, 300);
        } finally {
          disks[0]!.free();
          await load.stop();
        }
        for (const url of [one, two]) await load.verify(url);
        assert.deepEqual(fleet.halted, []);
      } finally {
        await fleet.stop();
      }
      assert.deepEqual([refusal.status, refusal.body.code], [503, "leader_unavailable"]);
      assert.match(refusal.body.error, /\bfull\b.*nothing was written/i);
    });
  });
}
