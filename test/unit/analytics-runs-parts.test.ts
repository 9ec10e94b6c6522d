/** @module What surrounds a run: who may begin one, with what, and for how long a report is kept. */
import assert from "node:assert/strict";
import { mock } from "node:test";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { ReportCache } from "../../services/analytics/aggregator/cache.ts";
import { CLAIM_MS, claim, type HeldClaim, release } from "../../services/analytics/aggregator/claims.ts";
import { readRunRequest } from "../../services/analytics/aggregator/parameters.ts";
import { IDLE, type RunState } from "../../services/analytics/aggregator/run.ts";
import type { Claim, ExperimentRow } from "../../services/analytics/contract.ts";
import { Sampler } from "../../services/analytics/metrics/sampler.ts";
import { checkRunId } from "../../services/analytics/run-id.ts";

const wanted = (owner_node: string, given: Partial<Claim> = {}): Claim => ({
  experiment_id: "exp",
  owner_node,
  replaces: null,
  ...given,
});

const run: ExperimentRow = {
  id: "on",
  status: "running",
  owner_node: "node1",
  transport: "gossip",
  message_count: 0,
  interval_ms: 1000,
  payload_bytes: 0,
  sent_count: 0,
  failed_count: 0,
  expected_nodes: [],
  run_count: 1,
  started_at: 1,
  ended_at: null,
  error: null,
};
const following: RunState = { kind: "following", run, lostAt: 35_000, collectAt: 1000 };
const leading: RunState = {
  kind: "leading",
  run,
  tickAt: 0,
  collectAt: 0,
  index: 1,
  messageAt: 0,
  sending: 0,
  endAt: null,
};

describe("A claim for the next run", () => {
  it("is granted to one of two, whatever the order in which nodes are asked, if both ask in one order", () => {
    const order = fc.array(fc.constantFrom("x", "y"), { minLength: 6, maxLength: 30 });
    fc.assert(
      fc.property(order, (turns) => {
        const held: (HeldClaim | null)[] = [null, null, null];
        const progress: Record<string, number> = { x: 0, y: 0 };
        const lost = new Set<string>();
        const step = (owner: string) => {
          const i = progress[owner]!;
          if (lost.has(owner) || i === held.length) return;
          const { answer, held: now } = claim(held[i]!, IDLE, wanted(owner), 0);
          held[i] = now;
          if (answer.granted) progress[owner] = i + 1;
          else lost.add(owner);
        };
        for (const owner of turns) step(owner);
        for (let i = 0; i < held.length; i++) for (const owner of ["x", "y"]) step(owner);
        const winners = ["x", "y"].filter((owner) => progress[owner] === held.length);
        assert.equal(winners.length, 1);
      }),
    );
  });

  it("lapses after ten seconds, and ends when its owner gives it back", () => {
    const { held } = claim(null, IDLE, wanted("x"), 0);
    assert.deepEqual(claim(held, IDLE, wanted("y"), CLAIM_MS - 1).answer, {
      granted: false,
      holder: { experiment_id: "exp", owner_node: "x" },
    });
    assert.equal(claim(held, IDLE, wanted("y"), CLAIM_MS).answer.granted, true);
    assert.equal(release(held, wanted("y")), held);
    assert.equal(release(held, wanted("x")), null);
  });

  it("is refused by a node in a run, which names it", () => {
    for (const state of [leading, following]) {
      assert.deepEqual(claim(null, state, wanted("x"), 0).answer, {
        granted: false,
        holder: { experiment_id: "on", owner_node: "node1" },
      });
    }
  });

  it("is granted by a node that only missed the end of the run", () => {
    assert.equal(claim(null, following, wanted("node1"), 0).answer.granted, true);
    assert.equal(claim(null, following, wanted("x", { replaces: "on" }), 0).answer.granted, true);
    assert.equal(claim(null, following, wanted("x", { replaces: "other" }), 0).answer.granted, false);
    assert.equal(claim(null, leading, wanted("x", { replaces: "on" }), 0).answer.granted, false);
  });
});

describe("The parameters of a run", () => {
  it("have defaults for all but the id", () => {
    assert.deepEqual(readRunRequest({ experiment_id: "a" }), {
      parameters: {
        experiment_id: "a",
        message_count: 0,
        interval_ms: 1000,
        transport: "gossip",
        payload_bytes: 0,
      },
      replace: false,
    });
  });

  it("take the ends of their ranges and refuse what is beyond, by field", () => {
    const ranges = { message_count: [0, 1000], interval_ms: [50, 60_000], payload_bytes: [0, 8192] } as const;
    for (const [name, [min, max]] of Object.entries(ranges)) {
      for (const value of [min, max]) readRunRequest({ experiment_id: "a", [name]: value });
      for (const value of [min - 1, max + 1, min + 0.5, "60", null, Number.NaN]) {
        assert.throws(() => readRunRequest({ experiment_id: "a", [name]: value }), {
          type: "invalid_request",
          data: { fields: { [name]: `must be a whole number from ${min} to ${max}` } },
        });
      }
    }
    for (const wrong of [{ transport: "udp" }, { transport: null }, { replace: "yes" }, { replace: null }]) {
      assert.throws(() => readRunRequest({ experiment_id: "a", ...wrong }), { type: "invalid_request" });
    }
  });

  it("refuse every id that is none", () => {
    const hostile = [
      "",
      ".",
      "..",
      ".hidden",
      "../../etc/passwd",
      "a/b",
      "a\\b",
      "a b",
      "a\n",
      "a\0",
      "'; DROP TABLE experiments; --",
      "é",
      "x".repeat(65),
      "<img>",
      null,
      undefined,
      1,
      ["a"],
      { toString: () => "a" },
    ];
    for (const id of hostile) {
      assert.throws(() => checkRunId(id), { type: "invalid_request", code: 400 }, String(id));
      assert.throws(() => readRunRequest({ experiment_id: id }), { type: "invalid_request" });
    }
    for (const id of ["a", "a.b", "-", "_x", "2026-01-02", "x".repeat(64)]) assert.equal(checkRunId(id), id);
  });
});

describe("The cache of reports", () => {
  const key = (kind: string, scope: "cluster" | "local" = "cluster", experiment = "a") => ({
    experiment,
    kind,
    scope,
  });

  it("never gives a report for one of another kind, scope or experiment", async () => {
    const cache = new ReportCache(60_000);
    const keys = [key("summary"), key("timing"), key("summary", "local"), key("summary", "cluster", "b")];
    for (const round of [1, 2]) {
      for (const [i, one] of keys.entries()) assert.equal(await cache.get(one, async () => i * round), i);
    }
  });

  it("makes a report once for all who ask meanwhile, and anew after a failure", async () => {
    const cache = new ReportCache(60_000);
    let made = 0;
    const fail = () => {
      made += 1;
      return Promise.reject(new Error("no node answers"));
    };
    const both = await Promise.allSettled([cache.get(key("x"), fail), cache.get(key("x"), fail)]);
    assert.deepEqual([made, both.map(({ status }) => status)], [1, ["rejected", "rejected"]]);
    await setImmediate();
    assert.equal(await cache.get(key("x"), async () => "well"), "well");
  });

  it("forgets an experiment and what is of all, or everything; with 0 ms it keeps nothing", async () => {
    const cache = new ReportCache(60_000);
    const list = { experiment: null, kind: "list", scope: "cluster" as const };
    const fill = async (value: string) =>
      Promise.all([key("x"), key("x", "cluster", "b"), list].map((one) => cache.get(one, async () => value)));
    await fill("old");
    cache.forget("a");
    assert.deepEqual(await fill("new"), ["new", "old", "new"]);
    cache.forget(null);
    assert.deepEqual(await fill("newest"), ["newest", "newest", "newest"]);
    const none = new ReportCache(0);
    assert.equal(await none.get(key("x"), async () => 1), 1);
    assert.equal(await none.get(key("x"), async () => 2), 2);
  });
});

describe("Samples of a run", () => {
  before(() => mock.timers.enable({ apis: ["setTimeout"] }));
  after(() => mock.timers.reset());

  it("are taken after a second at most, in intervals, one at a time, and once more at the end", async () => {
    let taken = 0;
    let release: (() => void) | null = null;
    const sampler = new Sampler({
      intervalMs: 5000,
      sample: () => {
        taken += 1;
        return new Promise((resolve) => {
          release = resolve;
        });
      },
    });
    const pass = async (ms: number) => {
      mock.timers.tick(ms);
      await setImmediate();
    };
    const finish = async () => {
      release?.();
      await setImmediate();
    };
    await pass(999);
    assert.equal(taken, 0);
    await pass(1);
    assert.equal(taken, 1);
    await pass(5000);
    assert.equal(taken, 1, "the first one is not over");
    await finish();
    assert.equal(taken, 2);
    await finish();
    const stopped = sampler.stop();
    await setImmediate();
    assert.equal(taken, 3);
    await finish();
    await stopped;
    await pass(60_000);
    assert.equal(taken, 3);
  });
});
