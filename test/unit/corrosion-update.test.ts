/** @module A cluster update: one node at a time, undone in reverse when one fails, never two agents down. */
import assert from "node:assert/strict";
import { mock } from "node:test";
import fc from "fast-check";
import { type CorrosionError, failureType } from "../../lib/corrosion/failures.ts";
import type { ClusterUpdate, UpdateState } from "../../services/corrosion/contract.ts";
import { advance, interrupt, isOver, newPlan, nextStep } from "../../services/corrosion/coordinator/plan.ts";
import {
  RESERVATION_MS,
  type Reservation,
  release,
  reserve,
} from "../../services/corrosion/coordinator/reservation.ts";
import { runUpdate } from "../../services/corrosion/coordinator/run.ts";
import { runningAgents, Steps } from "../../services/corrosion/coordinator/steps.ts";
import { checkTargets } from "../../services/corrosion/coordinator/targets.ts";
import { Watch } from "../../services/corrosion/coordinator/watch.ts";
import { type ApplyFault, type Faults, ModelNodes } from "../helpers/model-nodes.ts";

const AT = "2026-01-02T03:04:05.000000Z";
const NEW = ["new:1"];
/** The model answers at once: a step that waits so long waits for what does not come. */
const STEP_MS = 15;

interface Played {
  readonly update: ClusterUpdate;
  readonly published: readonly ClusterUpdate[];
  readonly nodes: ModelNodes;
  /** How many steps had begun when it was stopped before its end; null when it was not. */
  readonly begunAtStop: number | null;
}

/** Updates the nodes of a model; the update is stopped after so many published states. */
async function play(
  faults: ReadonlyMap<string, Faults>,
  { initiator = "c", stopAfter = Number.POSITIVE_INFINITY }: { initiator?: string; stopAfter?: number } = {},
): Promise<Played> {
  const nodes = new ModelNodes(faults);
  const calls = (id: string) => nodes.node(id);
  const running = await runningAgents(nodes.ids.map(calls));
  const steps = new Steps({ hosts: NEW, calls, running, stepMs: STEP_MS, pollMs: 1 });
  const stopping = new AbortController();
  const published: ClusterUpdate[] = [];
  let begunAtStop: number | null = null;
  const plan = newPlan({ update_id: "u", initiator, targets: nodes.ids, hosts: NEW }, AT);
  const port = {
    renew: async () => undefined,
    apply: steps.apply.bind(steps),
    rollBack: steps.rollBack.bind(steps),
    publish(update: ClusterUpdate) {
      published.push(update);
      if (published.length <= stopAfter) return;
      if (!isOver(update)) begunAtStop ??= nodes.begun.length;
      stopping.abort(new Error("stopped"));
    },
    now: () => AT,
  };
  return { update: await runUpdate(plan, port, stopping.signal), published, nodes, begunAtStop };
}

const faultsOf = (entries: Record<string, Faults>) =>
  new Map(Object.entries({ a: {}, b: {}, c: {}, ...entries }));
const statuses = ({ nodes }: ClusterUpdate) => nodes.map(({ node_id, status }) => `${node_id} ${status}`);

describe("A cluster update", () => {
  it("takes the nodes in order, its initiator last", async () => {
    const { nodes, published, update } = await play(faultsOf({}), { initiator: "a" });
    assert.deepEqual(nodes.begun, ["apply b", "apply c", "apply a"]);
    assert.equal(update.state, "succeeded");
    assert.deepEqual(statuses(update), ["b ready", "c ready", "a ready"]);
    assert.deepEqual(nodes.violations, []);
    assert.ok(nodes.ids.every((id) => nodes.node(id).hosts === NEW));
    const seen = new Set(published.flatMap(statuses));
    for (const status of ["pending", "applying", "restarting", "ready"])
      assert.ok(seen.has(`c ${status}`), status);
    assert.ok(published.slice(0, -1).every(({ state }) => state === "running"));
  });

  it("whose second node fails is rolled back in reverse, and its third node is never touched", async () => {
    const { nodes, published, update } = await play(faultsOf({ b: { apply: "no start" } }));
    assert.deepEqual(nodes.begun, ["apply a", "apply b", "rollback b", "rollback a"]);
    assert.deepEqual(statuses(update), ["a rolled_back", "b rolled_back", "c skipped"]);
    assert.equal(update.state, "rolled_back");
    assert.ok(published.some(({ state }) => state === "rolling_back"));
    assert.ok(published.some((one) => statuses(one).includes("b failed")));
    assert.equal(
      update.nodes[1]?.message,
      "the agent did not start. The configuration from before the update is back.",
    );
    assert.ok(nodes.ids.every((id) => nodes.node(id).unchanged && nodes.node(id).up));
    assert.deepEqual(nodes.violations, []);
  });

  it("does not roll back what was not touched", async () => {
    const refused = await play(faultsOf({ b: { apply: "refused" } }));
    assert.deepEqual(refused.nodes.begun, ["apply a", "apply b", "rollback a"]);
    assert.deepEqual(statuses(refused.update), ["a rolled_back", "b failed", "c skipped"]);
    const first = await play(faultsOf({ a: { apply: "refused" } }));
    assert.deepEqual(first.nodes.begun, ["apply a"]);
    assert.equal(first.update.state, "rolled_back");
    const invalid = await play(faultsOf({ b: { apply: "invalid" } }));
    assert.deepEqual(invalid.nodes.begun, ["apply a", "apply b", "rollback a"]);
    assert.deepEqual(statuses(invalid.update), ["a rolled_back", "b rolled_back", "c skipped"]);
  });

  it("asks a node again when its answer got lost, and needs an Alive peer where there are any", async () => {
    for (const apply of ["no answer", "no peer"] as const) {
      const { nodes, update } = await play(faultsOf({ b: { apply } }));
      assert.deepEqual(nodes.begun, ["apply a", "apply b", "rollback b", "rollback a"], apply);
      assert.equal(update.state, "rolled_back");
    }
    const alone = await play(new Map([["a", { apply: "no peer" as const }]]), { initiator: "a" });
    assert.equal(alone.update.state, "succeeded");
  });

  it("stops where it is when a node cannot be brought back: another restart would make two agents down", async () => {
    for (const faults of [
      { apply: "lost" },
      { apply: "no start", rollback: "no start" },
    ] satisfies Faults[]) {
      const { nodes, update } = await play(faultsOf({ b: faults }));
      assert.equal(update.state, "rollback_failed");
      assert.deepEqual(statuses(update), ["a ready", "b failed", "c skipped"]);
      assert.ok(!nodes.begun.includes("rollback a"));
      assert.deepEqual(nodes.violations, []);
    }
  });

  it("goes back to what there was before it, whatever somebody did to a node meanwhile", async () => {
    const nodes = new ModelNodes(faultsOf({}));
    const calls = (id: string) => nodes.node(id);
    const steps = new Steps({ hosts: NEW, calls, running: nodes.ids, stepMs: STEP_MS, pollMs: 1 });
    const { signal } = new AbortController();
    nodes.node("a").edit(["before:1"]);
    await steps.apply("a", () => undefined, signal);
    nodes.node("a").edit(["meanwhile:1"]);
    await steps.rollBack("a", signal);
    assert.deepEqual(nodes.node("a").hosts, ["before:1"]);
  });

  it("does not begin with a node while another one's agent is down", async () => {
    const nodes = new ModelNodes(faultsOf({}));
    const calls = (id: string) => nodes.node(id);
    const steps = new Steps({ hosts: NEW, calls, running: nodes.ids, stepMs: STEP_MS, pollMs: 1 });
    nodes.node("c").up = false;
    const applied = steps.apply("a", () => undefined, new AbortController().signal);
    await assert.rejects(applied, {
      name: "StepFailed",
      untouched: true,
      message: /agent of c is down.*make two/,
    });
    assert.deepEqual(nodes.begun, []);
  });

  it("never has two agents down and undoes in exact reverse, whatever fails and whenever it is stopped", async () => {
    const fault = fc.record({
      apply: fc.option(
        fc.constantFrom<ApplyFault>("refused", "invalid", "no start", "no answer", "no peer", "lost"),
        {
          nil: undefined,
          freq: 2,
        },
      ),
      rollback: fc.option(fc.constantFrom("no start" as const, "lost" as const), { nil: undefined, freq: 4 }),
    }) as fc.Arbitrary<Faults>;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fault, { minLength: 1, maxLength: 5 }),
        fc.nat({ max: 4 }),
        fc.option(fc.nat({ max: 12 })),
        async (faults, initiator, stopAfter) => {
          const ids = faults.map((_, i) => `n${i}`);
          const { begunAtStop, nodes, published, update } = await play(
            new Map(faults.map((one, i) => [`n${i}`, one])),
            {
              initiator: ids[initiator % ids.length]!,
              stopAfter: stopAfter ?? Number.POSITIVE_INFINITY,
            },
          );
          assert.deepEqual(nodes.violations, []);
          checkOrder(nodes.begun, update);
          for (const state of published) checkUpdate(state);
          checkUpdate(update);
          assert.ok(isOver(update));
          if (begunAtStop !== null) {
            assert.equal(nodes.begun.length, begunAtStop, "nothing begins after the stop");
            assert.equal(update.state, "interrupted");
          }
          if (update.state === "rolled_back") {
            assert.ok(ids.every((id) => nodes.node(id).unchanged && nodes.node(id).up));
          }
          if (update.state === "succeeded") assert.ok(ids.every((id) => nodes.node(id).hosts === NEW));
        },
      ),
      { numRuns: 150 },
    );
  });

  /** Applied in the update's order; rolled back only after that, without a gap, last first. */
  function checkOrder(begun: readonly string[], update: ClusterUpdate): void {
    const of = (kind: string) => begun.filter((one) => one.startsWith(kind)).map((one) => one.split(" ")[1]!);
    const applied = of("apply");
    const undone = of("rollback");
    const order = update.nodes.map(({ node_id }) => node_id);
    assert.deepEqual(applied, order.slice(0, applied.length));
    assert.deepEqual(begun, [...applied.map((id) => `apply ${id}`), ...undone.map((id) => `rollback ${id}`)]);
    const reversed = [...applied].reverse();
    // The last one may have refused, and then was not touched.
    const from = undone[0] === undefined ? 0 : reversed.indexOf(undone[0]);
    assert.ok(from <= 1);
    assert.deepEqual(undone, reversed.slice(from, from + undone.length));
  }

  function checkUpdate({ nodes, state }: ClusterUpdate): void {
    const count = (...wanted: string[]) => nodes.filter(({ status }) => wanted.includes(status)).length;
    assert.ok(count("applying", "restarting") <= 1, "one node at a time");
    assert.ok(
      state === "running" || count("applying", "restarting", "pending") === 0,
      `${state} and something goes on`,
    );
    if (state === "succeeded") assert.equal(count("ready"), nodes.length);
  }

  it("that is interrupted says so of every node, and one that is over stays as it ended", () => {
    let plan = newPlan({ update_id: "u", initiator: "c", targets: ["a", "b", "c"], hosts: NEW }, AT);
    plan = advance(plan, "a", { kind: "ready" }, AT);
    plan = advance(plan, "b", { kind: "applying" }, AT);
    const interrupted = interrupt(plan.update, "lost", AT);
    assert.deepEqual(statuses(interrupted), ["a ready", "b failed", "c skipped"]);
    assert.equal(interrupted.state, "interrupted");
    for (const state of ["succeeded", "rolled_back", "rollback_failed"] satisfies UpdateState[]) {
      const over = { ...plan.update, state };
      assert.equal(interrupt(over, "lost", AT), over);
    }
    assert.deepEqual(nextStep({ ...plan, update: interrupted }), { kind: "done" });
  });

  it("needs targets that there are, and that can be reached", () => {
    const nodes = { present: new Set(["a", "b"]), known: new Set(["a", "b", "gone"]) };
    assert.deepEqual(checkTargets(["b", "a", "b"], nodes), ["a", "b"]);
    const refusal = (ids: string[]): [string | null, number] => {
      try {
        checkTargets(ids, nodes);
      } catch (error) {
        return [failureType(error), (error as CorrosionError).code];
      }
      return [null, 200];
    };
    assert.deepEqual(refusal([]), ["invalid_request", 400]);
    assert.deepEqual(refusal(["a", "nobody"]), ["unknown_node", 404]);
    assert.deepEqual(refusal(["a", "gone"]), ["agent_not_managed", 409]);
  });
});

describe("The reservation of a node", () => {
  it("is one update's until it is given back or lapses", () => {
    const first = { update_id: "u1", initiator: "a" };
    const second = { update_id: "u2", initiator: "b" };
    const granted = reserve(null, first, 1000);
    assert.ok(granted.kind === "granted");
    assert.equal(granted.reservation.expires, 1000 + RESERVATION_MS);
    const held = granted.reservation;
    assert.equal(reserve(held, second, 1000 + RESERVATION_MS - 1).kind, "refused");
    assert.equal(reserve(held, first, 5000).kind, "granted");
    assert.equal(reserve(held, second, 1000 + RESERVATION_MS).kind, "granted");
    assert.equal(release(held, "u2"), held);
    assert.equal(release(held, "u1"), null);
  });

  it("goes, of updates that begin at once, to one of them on all nodes, in whatever order they ask", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 4 }),
        fc.integer({ min: 1, max: 4 }),
        fc.infiniteStream(fc.nat()),
        (updates, size, turns) => {
          const held: (Reservation | null)[] = Array.from({ length: size }, () => null);
          const reached = Array.from({ length: updates }, () => 0);
          const active = new Set(reached.keys());
          while (active.size > 0) {
            const turn = turns.next().value as number;
            const one = [...active][turn % active.size]!;
            const wanted = { update_id: `u${one}`, initiator: `n${one}` };
            const grant = reserve(held[reached[one]!]!, wanted, 0);
            if (grant.kind === "granted") held[reached[one]!] = grant.reservation;
            reached[one]! += 1;
            // Whoever is refused gives back what it has; who has all keeps it.
            if (grant.kind === "refused") {
              for (const [i, reservation] of held.entries()) held[i] = release(reservation, `u${one}`);
              reached[one] = -1;
            }
            if (grant.kind === "refused" || reached[one] === size) active.delete(one);
          }
          assert.equal(reached.filter((count) => count === size).length, 1);
        },
      ),
    );
  });
});

describe("A node that watches an update", () => {
  const running = newPlan({ update_id: "u", initiator: "leader", targets: ["me", "other"], hosts: NEW }, AT);
  const promise = { update_id: "u", initiator: "leader" };
  let now = 0;
  let settled: string[] = [];
  let watch: Watch;

  beforeEach(() => {
    mock.timers.enable({ apis: ["setTimeout"] });
    now = 0;
    settled = [];
    watch = new Watch({
      nodeId: "me",
      monotonic: () => now,
      now: () => AT,
      settled: ({ nodes }) => settled.push(nodes.find(({ node_id }) => node_id === "me")!.status),
    });
  });
  afterEach(() => {
    watch.stop();
    mock.timers.reset();
  });

  const pass = (ms: number) => {
    now += ms;
    mock.timers.tick(ms);
  };

  it("calls it interrupted when its promise is not renewed in time, and is free again", () => {
    watch.reserve(promise);
    watch.heard(running.update);
    pass(RESERVATION_MS - 1);
    watch.reserve(promise);
    pass(RESERVATION_MS - 1);
    assert.equal(watch.update?.state, "running");
    assert.equal(watch.reserve({ update_id: "v", initiator: "x" }).kind, "refused");
    pass(1);
    assert.equal(watch.update?.state, "interrupted");
    assert.equal(watch.reserve({ update_id: "v", initiator: "x" }).kind, "granted");
  });

  it("calls it interrupted when the leader is lost, but is promised until that lapses", () => {
    watch.reserve(promise);
    watch.heard(running.update);
    watch.nodeLost("other");
    assert.equal(watch.update?.state, "running");
    watch.nodeLost("leader");
    assert.equal(watch.update?.state, "interrupted");
    assert.equal(watch.reserve({ update_id: "v", initiator: "x" }).kind, "refused");
    watch.heard(watch.update!);
    assert.equal(watch.holds("u"), true);
    pass(RESERVATION_MS);
    assert.equal(watch.holds("u"), false);
  });

  it("is free as soon as the update is over, and says once that its own part is", () => {
    watch.reserve(promise);
    const ready = advance(advance(running, "me", { kind: "applying" }, AT), "me", { kind: "ready" }, AT);
    watch.heard(running.update);
    watch.heard(ready.update);
    watch.heard(advance(ready, "other", { kind: "applying" }, AT).update);
    assert.deepEqual(settled, ["ready"]);
    assert.equal(watch.holds("u"), true);
    watch.heard(advance(ready, "other", { kind: "ready" }, AT).update);
    assert.deepEqual(settled, ["ready"]);
    assert.equal(watch.holds("u"), false);
  });

  it("calls one interrupted that it led itself before it was restarted", () => {
    watch.learnt({ ...running.update, initiator: "me" });
    assert.deepEqual([watch.update?.state, watch.update?.update_id], ["interrupted", "u"]);
  });

  it("calls one interrupted that it learnt of and whose leader stays silent, and believes one that speaks", () => {
    watch.learnt(running.update);
    pass(60_000);
    assert.equal(watch.update?.state, "running");
    pass(61_000);
    assert.equal(watch.update?.state, "interrupted");
    watch.heard(running.update);
    assert.equal(watch.update?.state, "running");
    pass(200_000);
    assert.equal(watch.update?.state, "running");
  });

  it("believes a leader that was thought lost and speaks again, and others only while it knows nothing itself", () => {
    watch.learnt(running.update);
    watch.nodeLost("leader");
    watch.learnt({ ...running.update, update_id: "older" });
    assert.deepEqual([watch.update?.update_id, watch.update?.state], ["u", "interrupted"]);
    watch.heard(running.update);
    assert.equal(watch.update?.state, "running");
  });
});
