/** @module What the pages of the fleet make of its status: marks, lags, changes, warnings, and steps on the map. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ApiError } from "../../public/data/api-error.ts";
import { drainsEnded } from "../../public/fleet/drains.ts";
import {
  archiveLagOf,
  changesBetween,
  columnsOf,
  groupName,
  leaderMarks,
} from "../../public/fleet/leaders.ts";
import { readinessOf } from "../../public/fleet/readiness.ts";
import { warningsOf } from "../../public/fleet/warnings.ts";
import { stepFrom } from "../../public/pages/groups/walk.ts";
import { countByState } from "../../public/pages/overview/members.ts";
import { nodeRows } from "../../public/pages/overview/node-rows.ts";
import type { Member } from "../../services/corrosion/contract.ts";
import type { FleetNode, FleetStatus } from "../../services/raft/fleet-status.ts";

const node = (id: string, more: Partial<FleetNode> = {}): FleetNode => ({
  id,
  available: true,
  draining: false,
  leads: 1,
  follows: 1,
  url: null,
  archive_problem: null,
  ...more,
});

const WELL: FleetStatus = {
  mode: "distributed",
  engine: { kind: "jetstream", connected: true, detail: "one server", warnings: [] },
  groups: 3,
  node_id: "a",
  nodes: [node("b"), node("a")],
  leaders: ["a", "b", "b"],
  applied: [5, 9, 2],
  archived: [5, 4, 0],
  behind: [0, 5, 2],
  followers: [["b"], ["a"], ["a"]],
  problems: [],
  resident_sessions: 0,
  generated_at: "2026-01-02T03:04:05.000Z",
};

describe("The fleet's pages", () => {
  it("number the nodes by name, so that every page of the cluster shows the same", () => {
    const marks = leaderMarks(WELL);
    assert.deepEqual([...marks.keys()], ["a", "b"]);
    assert.deepEqual(marks.get("b"), { node: "b", number: 2, colour: "var(--leader-1)" });
  });

  it("mark a leader that the list of nodes does not have", () => {
    assert.equal(leaderMarks({ nodes: [node("b")], leaders: ["c", null] }).get("c")?.number, 2);
  });

  it("use the colours again after the ninth node, and no number twice", () => {
    const nodes = Array.from({ length: 20 }, (_, i) => node(`n${String(i).padStart(2, "0")}`));
    const marks = [...leaderMarks({ nodes, leaders: [] }).values()];
    assert.equal(new Set(marks.map(({ number }) => number)).size, 20);
    assert.equal(marks[9]!.colour, marks[0]!.colour);
  });

  it("name groups as the logs do", () => {
    assert.deepEqual([0, 17, 1023].map(groupName), ["g000", "g017", "g1023"]);
  });

  it("draw 256 groups as 16 × 16", () => {
    assert.deepEqual([1, 256, 257, 1024, 4096].map(columnsOf), [16, 16, 32, 32, 64]);
  });

  it("say how far the archive is behind, and where most", () => {
    assert.deepEqual(archiveLagOf(WELL), { entries: 7, worst: { group: 1, entries: 5 } });
    assert.deepEqual(archiveLagOf({ behind: [0, null, 0] }), { entries: 0, worst: null });
  });

  it("tell when a drain is over, and when the node went away before", () => {
    const under = { nodes: [node("a"), node("b", { draining: true, leads: 4 })] };
    const ended = (...nodes: FleetNode[]) => drainsEnded(under, { nodes });
    assert.deepEqual(ended(node("a"), node("b", { draining: true, leads: 1 })), []);
    assert.deepEqual(ended(node("a"), node("b", { draining: true, leads: 0 })), [
      { node: "b", how: "drained" },
    ]);
    assert.deepEqual(ended(node("a"), node("b", { draining: false, leads: 2 })), []);
    assert.deepEqual(ended(node("a"), node("b", { available: false, leads: 0 })), [
      { node: "b", how: "lost" },
    ]);
    assert.deepEqual(ended(node("a")), [{ node: "b", how: "lost" }]);
    const drained = { nodes: [node("b", { draining: true, leads: 0 })] };
    assert.deepEqual(drainsEnded(drained, drained), []);
    assert.deepEqual(drainsEnded({ nodes: [node("b")] }, { nodes: [] }), []);
  });

  it("make one row a node of what both halves know of it", () => {
    const member = (node_id: string | null) => ({ node_id }) as Member;
    assert.deepEqual(
      nodeRows([node("b"), node("a")], [member("c"), member("a"), member(null)]).map((row) => [
        row.id,
        row.fleet?.id ?? null,
        row.member?.node_id ?? null,
      ]),
      [
        ["a", "a", "a"],
        ["b", "b", null],
        ["c", null, "c"],
      ],
    );
  });

  it("see each change of leader, the loss of one too, and nothing else", () => {
    assert.deepEqual(changesBetween(["a", "b", null], ["a", null, "b"], 7), [
      { group: 1, from: "b", to: null, at: 7 },
      { group: 2, from: null, to: "b", at: 7 },
    ]);
  });

  it("warn of nothing when all is well", () => {
    assert.deepEqual(warningsOf(WELL), []);
  });

  it("warn of all that an operator must act on, worst first", () => {
    const warnings = warningsOf({
      ...WELL,
      leaders: ["a", null, "b"],
      nodes: [
        node("a", { archive_problem: "connection refused" }),
        node("b", { available: false }),
        node("c", { draining: true }),
      ],
      engine: { ...WELL.engine, connected: false, warnings: ["two copies only"] },
      problems: ["a: the log is full"],
    });
    assert.deepEqual(warnings, [
      { tone: "bad", text: "Groups without a leader: 1 of 3. Their sessions take no messages now." },
      { tone: "bad", text: "The log engine cannot be reached." },
      {
        tone: "bad",
        text: "The archive cannot be used by a: connection refused. What was acknowledged stays in the log; sessions that left RAM cannot be read until it is back.",
      },
      { tone: "bad", text: "a: the log is full" },
      { tone: "warn", text: "Not answering: b." },
      { tone: "warn", text: "Out of placement: c. It takes no groups until it is undrained." },
      { tone: "warn", text: "two copies only" },
    ]);
  });

  it("read from a 503 why the node is not ready, and from silence that it is lost", () => {
    const refused = new ApiError("no", {
      status: 503,
      code: "http_503",
      body: { status: "starting", reason: "groups_recovering" },
    });
    assert.deepEqual(readinessOf({ kind: "error", error: refused }), {
      status: "starting",
      reason: "groups_recovering",
    });
    const silent = new ApiError("the node cannot be reached", { status: 0, code: "unreachable" });
    const stale = readinessOf({ kind: "stale", data: { status: "ok" }, at: 0, error: silent });
    assert.equal(stale.status, "lost");
    assert.equal(readinessOf({ kind: "loading" }).status, "unknown");
  });

  it("count a member that is down as down, whatever its last sync says", () => {
    assert.deepEqual(
      countByState([
        { state: "Alive", status: "active" },
        { state: "Down", status: "active" },
        { state: null, status: "active" },
      ]),
      [
        ["active", 2],
        ["Down", 1],
      ],
    );
  });

  it("walk the map by key and never leave it", () => {
    const keys = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.nat(),
        fc.constantFrom(...keys),
        (count, seed, key) => {
          const to = stepFrom(seed % count, key, { columns: 16, count });
          assert.ok(to !== null && to >= 0 && to < count);
        },
      ),
    );
    const grid = { columns: 16, count: 250 };
    const steps = keys.map((key) => stepFrom(20, key, grid));
    assert.deepEqual(steps, [19, 21, 4, 36, 16, 31, 4, 244]);
    assert.equal(stepFrom(20, "Enter", grid), null);
    assert.equal(stepFrom(240, "ArrowDown", grid), 240);
    assert.equal(stepFrom(245, "End", grid), 249);
  });
});
