/** @module When members, identity and discovery look again: their timers, their pauses, and what stays when a look fails. */
import assert from "node:assert/strict";
import { mock } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { DiscoveredNode, Membership } from "../../services/corrosion/contract.ts";
import { Directory } from "../../services/corrosion/discovery/directory.ts";
import { Reporter } from "../../services/corrosion/identity/reporter.ts";
import identityService from "../../services/corrosion/identity.service.ts";
import type { Fetched } from "../../services/corrosion/members/fetch.ts";
import { mergeMembers } from "../../services/corrosion/members/merge.ts";
import { Roster } from "../../services/corrosion/members/roster.ts";

const SELF = "00000000-0000-4000-8000-000000000001";

/** A look that the test ends: with a value, or an error. */
class Looks<T> {
  begun = 0;
  #end: ((outcome: T | Error) => void) | null = null;

  readonly look = (): Promise<T> => {
    this.begun += 1;
    return new Promise((resolve, reject) => {
      this.#end = (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome));
    });
  };

  async end(outcome: T | Error): Promise<void> {
    this.#end?.(outcome);
    await turn();
  }
}

function fetched(source: Fetched["source"] = "admin", met = true): Fetched {
  const self = { id: SELF, nodeId: "ams-one", address: "10.0.0.1:8787" };
  const states = [
    {
      id: SELF.replace(/1$/, "2"),
      address: "a:1",
      ts: 1n,
      clusterId: 0,
      incarnation: 0,
      state: "Alive" as const,
    },
  ];
  return { actorId: SELF, source, met, members: mergeMembers({ states, members: [], self, map: {} }) };
}

describe("Looking again", () => {
  let micros = 1_767_323_045_000_000;

  beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
  afterEach(() => mock.timers.reset());

  async function pass(ms: number): Promise<void> {
    micros += ms * 1000;
    mock.timers.tick(ms);
    await turn();
  }

  describe("for members", () => {
    let looks: Looks<Fetched>;
    let told: Membership[];
    let roster: Roster;

    beforeEach(() => {
      looks = new Looks();
      told = [];
      roster = new Roster({
        nodeId: "ams-one",
        fetch: looks.look,
        clock: () => micros,
        refreshMs: 30_000,
        cliRefreshMs: 300_000,
        changed: (membership) => told.push(membership),
      });
    });
    afterEach(async () => {
      const stopped = roster.stop();
      await looks.end(new Error("stopped"));
      await stopped;
    });

    it("begins at 1 s, goes on every 30 s, and tells when it begins and ends", async () => {
      roster.start(1000);
      assert.equal(roster.membership().cache_status.status, "initializing");
      await pass(999);
      assert.equal(looks.begun, 0);
      await pass(1);
      assert.equal(looks.begun, 1);
      await looks.end(fetched());
      await pass(29_999);
      assert.equal(looks.begun, 1);
      await pass(1);
      assert.equal(looks.begun, 2);
      assert.deepEqual(
        told.map(({ cache_status }) => [cache_status.status, cache_status.member_count]),
        [
          ["fetching", 0],
          ["ok", 2],
          ["fetching", 2],
        ],
      );
    });

    it("goes on every 300 s where each look starts a process", async () => {
      roster.start(0);
      await pass(0);
      await looks.end(fetched("cli"));
      await pass(299_999);
      assert.equal(looks.begun, 1);
      await pass(1);
      assert.equal(looks.begun, 2);
    });

    it("goes on every 2 s while the cluster meets, and every 30 s as soon as it has met", async () => {
      roster.start(1000);
      await pass(1000);
      await looks.end(new Error("the agent is still starting"));
      await pass(2000);
      assert.equal(looks.begun, 2);
      await looks.end(fetched("admin", false));
      await pass(1999);
      assert.equal(looks.begun, 2);
      await pass(1);
      assert.equal(looks.begun, 3);
      await looks.end(fetched());
      await pass(29_999);
      assert.equal(looks.begun, 3);
    });

    it("gives up waiting for a cluster that does not meet after 15 s, until somebody else is missed", async () => {
      roster.start(0);
      await pass(0);
      for (let seconds = 0; seconds < 16; seconds += 2) {
        await looks.end(fetched("admin", false));
        await pass(2000);
      }
      assert.equal(looks.begun, 9);
      await looks.end(fetched("admin", false));
      await pass(29_999);
      assert.equal(looks.begun, 9);
      await pass(1);
      await looks.end(fetched());
      await pass(30_000);
      await looks.end(fetched("admin", false));
      await pass(2000);
      assert.equal(looks.begun, 12);
    });

    it("shows members under the names that the map has, as soon as it has them", async () => {
      const first = roster.refresh();
      await looks.end(fetched());
      assert.deepEqual(
        (await first).members.map(({ node_id }) => node_id),
        ["ams-one", null],
      );
      const before = told.length;
      roster.rename({ [SELF.replace(/1$/, "2")]: "fra-two" });
      assert.deepEqual(
        roster.membership().members.map(({ node_id, region }) => [node_id, region]),
        [
          ["ams-one", "ams"],
          ["fra-two", "fra"],
        ],
      );
      assert.equal(told.length, before + 1);
      roster.rename({ [SELF.replace(/1$/, "2")]: "fra-two" });
      assert.equal(told.length, before + 1, "nothing is told when nothing changed");
    });

    it("is done once for all who ask while it is under way, and the timer counts from its end", async () => {
      roster.start(1000);
      const asked = [roster.refresh(), roster.refresh()];
      await pass(60_000);
      assert.equal(looks.begun, 1);
      await looks.end(fetched());
      const answers = await Promise.all(asked);
      assert.deepEqual(answers[0], answers[1]);
      await pass(29_999);
      assert.equal(looks.begun, 1);
    });

    it("keeps what was found, with its age, when it fails", async () => {
      const first = roster.refresh();
      await looks.end(fetched());
      const { cache_status } = await first;
      micros += 5_000_000;
      const second = roster.refresh();
      await looks.end(new Error("the agent is away"));
      const failed = await second;
      assert.equal(failed.members.length, 2);
      assert.deepEqual(failed.cache_status, { ...cache_status, error: "the agent is away", status: "error" });
      assert.equal(failed.error, "the agent is away");
      assert.deepEqual(roster.view(), {
        node_id: "ams-one",
        actor_id: SELF,
        at: cache_status.last_updated,
        error: "the agent is away",
        subjects: [{ id: SELF.replace(/1$/, "2"), state: "Alive" }],
      });
    });

    it("waits while the agent restarts, and is done at once afterwards", async () => {
      roster.start(1000);
      roster.pause();
      await pass(120_000);
      assert.equal(looks.begun, 0);
      roster.resume();
      await pass(0);
      assert.equal(looks.begun, 1);
    });

    it("is done at once when the agent answers that was missed, and not for its sake otherwise", async () => {
      roster.start(0);
      await pass(0);
      await looks.end(new Error("the agent is still starting"));
      roster.agentRuns();
      await pass(0);
      assert.equal(looks.begun, 2);
      await looks.end(fetched());
      roster.agentRuns();
      await pass(29_999);
      assert.equal(looks.begun, 2);
    });

    it("is done again when the agent came back in the midst of it", async () => {
      roster.start(0);
      await pass(0);
      roster.pause();
      roster.resume();
      await pass(0);
      assert.equal(looks.begun, 1);
      await looks.end(new Error("the agent went away"));
      await pass(0);
      assert.equal(looks.begun, 2);
    });

    it("ends with its node", async () => {
      roster.start(1000);
      await roster.stop();
      await pass(120_000);
      await roster.refresh();
      assert.equal(looks.begun, 0);
    });
  });

  describe("for the node's actor", () => {
    let looks: Looks<{ actorId: string; wrote: boolean }>;
    let changes: string[];
    let reporter: Reporter;

    beforeEach(() => {
      looks = new Looks();
      changes = [];
      const { recheckMs, retryMs } = identityService.settings as { recheckMs: number; retryMs: number };
      reporter = new Reporter({
        nodeId: "ams-one",
        report: looks.look,
        now: () => String(micros),
        retryMs,
        recheckMs,
        changed: (actorId) => changes.push(actorId),
      });
    });
    afterEach(async () => {
      const stopped = reporter.stop();
      await looks.end(new Error("stopped"));
      await stopped;
    });

    it("begins at 2 s, is tried again after 10 s when it failed, and every 60 s when it did not", async () => {
      const { firstMs } = identityService.settings as { firstMs: number };
      reporter.start(firstMs);
      await pass(1999);
      assert.equal(looks.begun, 0);
      await pass(1);
      assert.equal(looks.begun, 1);
      await looks.end(new Error("the agent is away"));
      assert.deepEqual(reporter.identity(), {
        node_id: "ams-one",
        actor_id: null,
        reported_at: null,
        error: "the agent is away",
      });
      await pass(9999);
      assert.equal(looks.begun, 1);
      await pass(1);
      assert.equal(looks.begun, 2);
      await looks.end({ actorId: "x", wrote: true });
      const reported = String(micros);
      await pass(59_999);
      assert.equal(looks.begun, 2);
      await pass(1);
      assert.equal(looks.begun, 3);
      await looks.end({ actorId: "x", wrote: false });
      const expected = { node_id: "ams-one", actor_id: "x", reported_at: reported, error: null };
      assert.deepEqual(reporter.identity(), expected);
      assert.deepEqual(changes, ["x"]);
    });

    it("is done at once when the agent answers that was missed, and not for its sake otherwise", async () => {
      reporter.start(0);
      await pass(0);
      await looks.end(new Error("the agent is still starting"));
      reporter.agentRuns();
      await pass(0);
      assert.equal(looks.begun, 2);
      await looks.end({ actorId: SELF, wrote: true });
      reporter.agentRuns();
      await pass(59_999);
      assert.equal(looks.begun, 2);
    });

    it("is done at once when the agent is back from a restart, and not during it", async () => {
      reporter.start(2000);
      reporter.pause();
      await pass(100_000);
      assert.equal(looks.begun, 0);
      reporter.resume();
      await pass(0);
      assert.equal(looks.begun, 1);
    });
  });

  describe("for nodes by DNS", () => {
    it("begins behind the first reader's answer and behind that of who finds it too old, one at a time", async () => {
      const looks = new Looks<readonly DiscoveredNode[]>();
      const directory = new Directory({
        source: "dns",
        find: looks.look,
        clock: () => micros,
        ttlMs: 30_000,
      });
      assert.equal(directory.get().status, "fetching");
      directory.get();
      assert.equal(looks.begun, 1);
      await looks.end([{ node_id: "ams-1", region: "ams", machine: "1" }]);
      micros += 29_999_000;
      assert.deepEqual([directory.get().status, directory.get().age_ms, looks.begun], ["ok", 29_999, 1]);
      micros += 1000;
      const { age_ms, nodes } = directory.get();
      assert.deepEqual([nodes.length, age_ms, looks.begun], [1, 30_000, 2]);
      await looks.end(new Error("silence"));
      const failed = directory.get();
      assert.deepEqual(
        [failed.nodes.length, failed.error, failed.status, looks.begun],
        [1, "silence", "error", 2],
      );
      await directory.stop();
      await directory.refresh();
      assert.equal(looks.begun, 2);
    });
  });
});
