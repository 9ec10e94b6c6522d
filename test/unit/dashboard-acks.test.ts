/** @module What the Propagation and Messages pages make of acknowledgements, apart from any browser. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ackMapNodes, countKind } from "../../public/acks/ack-map.ts";
import { bytesOf, contentProblem, MAX_CONTENT_BYTES } from "../../public/acks/content.ts";
import { progressOf, seenNodes, waitText } from "../../public/acks/progress.ts";
import { layersOf } from "../../public/map/markers.ts";
import type { Acknowledgement, AckStatus } from "../../services/acks/contract.ts";
import type { Member } from "../../services/corrosion/contract.ts";

const AT = "2026-01-02T03:04:05.678901Z";

function ack(nodeId: string, more: Partial<Acknowledgement> = {}): Acknowledgement {
  return {
    node_id: nodeId,
    region: nodeId,
    timestamp: AT,
    receipt_timestamp: null,
    latency_ms: 12.5,
    late: false,
    ...more,
  };
}

function status(more: Partial<AckStatus> = {}): AckStatus {
  const acknowledgments = more.acknowledgments ?? [];
  return {
    node_id: "a",
    latest_message: { pk: "a_1", timestamp: AT, node_id: "a" },
    acknowledgments,
    ack_count: acknowledgments.length,
    regions: [],
    expected: ["b", "c"],
    state: "pending",
    transport: "gossip",
    deadline_at: AT,
    ...more,
  };
}

const NOTHING = status({ latest_message: null, expected: [], state: null, transport: null });

function member(nodeId: string | null, more: Partial<Member> = {}): Member {
  return {
    id: "00000000-0000-0000-0000-000000000001",
    node_id: nodeId,
    region: nodeId ?? "unknown",
    address: "10.0.0.9:8787",
    state: "Alive",
    status: "active",
    incarnation: 0,
    cluster_id: 0,
    ring: 0,
    rtts: [],
    rtt_avg_ms: null,
    ts: null,
    last_seen_at: null,
    last_sync_at: null,
    self: false,
    ...more,
  };
}

describe("The content of a message", () => {
  it("has 1 byte to 8 KiB of UTF-8, counted as the node counts them", () => {
    assert.match(contentProblem("") ?? "", /Write something/);
    assert.equal(contentProblem(" "), null);
    assert.equal(contentProblem("x".repeat(MAX_CONTENT_BYTES)), null);
    assert.match(contentProblem("x".repeat(MAX_CONTENT_BYTES + 1)) ?? "", /8,193 bytes.*8 KiB/);
    assert.equal(contentProblem("ü".repeat(MAX_CONTENT_BYTES / 2)), null);
    assert.match(contentProblem(`${"ü".repeat(MAX_CONTENT_BYTES / 2)}x`) ?? "", /8,193 bytes/);
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        assert.equal(bytesOf(text), Buffer.byteLength(text));
      }),
    );
  });

  it("has no half of a character", () => {
    assert.match(contentProblem("x\ud83d") ?? "", /Half of a character/);
    assert.equal(contentProblem("x\ud83d\ude00"), null);
  });
});

describe("The progress of a message", () => {
  it("has a ready row for each node that is known while nothing is tracked, and is dim", () => {
    assert.deepEqual(progressOf(NOTHING, ["c", "b", "c"]), {
      acked: 0,
      expected: 2,
      tone: "plain",
      rows: [
        { nodeId: "b", state: { kind: "ready" }, expected: true },
        { nodeId: "c", state: { kind: "ready" }, expected: true },
      ],
    });
  });

  it("is dim without, amber with some, and green with all acknowledgements", () => {
    const tones = [[], [ack("c")], [ack("b"), ack("c")]].map((acknowledgments) => {
      const { acked, expected, tone } = progressOf(status({ acknowledgments }), ["z"]);
      return [acked, expected, tone];
    });
    assert.deepEqual(tones, [
      [0, 2, "plain"],
      [1, 2, "warn"],
      [2, 2, "good"],
    ]);
  });

  it("waits until the node says that the time is over, and calls who is missing overdue then", () => {
    const kinds = (state: AckStatus["state"], acknowledgments: readonly Acknowledgement[] = []) =>
      progressOf(status({ state, acknowledgments }), []).rows.map((row) => row.state.kind);
    assert.deepEqual(kinds("pending"), ["waiting", "waiting"]);
    assert.deepEqual(kinds("unacked"), ["overdue", "overdue"]);
    assert.deepEqual(kinds("partial", [ack("b")]), ["acked", "overdue"]);
    assert.deepEqual(kinds("unacked", [ack("b", { late: true })]), ["acked", "overdue"]);
  });

  it("tells after how long, and whether that was late", () => {
    const { rows } = progressOf(
      status({ state: "partial", acknowledgments: [ack("b", { late: true, latency_ms: 31_000 })] }),
      [],
    );
    assert.deepEqual(rows[0]?.state, { kind: "acked", at: AT, latencyMs: 31_000, late: true });
  });

  it("says until when it waits or waited, and after how long all that it waited for was there", () => {
    const deadline_at = "no time";
    const text = (more: Partial<AckStatus>) => waitText(status({ deadline_at, ...more }));
    assert.equal(text({ state: "pending" }), ", waits until no time");
    assert.equal(text({ state: "partial" }), ", waited until no time");
    assert.equal(text({ state: "unacked" }), ", waited until no time");
    const acknowledgments = [
      ack("b", { latency_ms: 80 }),
      ack("c", { latency_ms: 20 }),
      ack("z", { latency_ms: 900 }),
    ];
    assert.equal(text({ state: "complete", acknowledgments }), ", everywhere after 80 ms");
    assert.equal(text({ state: "complete", expected: [] }), "");
    assert.equal(text({ state: null, deadline_at: null }), "");
  });

  it("does not count who was not waited for, and lists them last", () => {
    const { acked, expected, rows, tone } = progressOf(status({ acknowledgments: [ack("a9")] }), []);
    assert.deepEqual([acked, expected, tone], [0, 2, "plain"]);
    assert.deepEqual(
      rows.map(({ nodeId, expected }) => [nodeId, expected]),
      [
        ["b", true],
        ["c", true],
        ["a9", false],
      ],
    );
  });

  it("counts each expected node once at most, whatever comes", () => {
    const nodes = fc.uniqueArray(fc.constantFrom("b", "c", "d", "e", "f"));
    fc.assert(
      fc.property(nodes, nodes, (expected, ackers) => {
        const given = status({ expected, acknowledgments: ackers.map((id) => ack(id)) });
        const progress = progressOf(given, []);
        const ids = progress.rows.map(({ nodeId }) => nodeId);
        assert.equal(progress.expected, expected.length);
        assert.equal(progress.acked, expected.filter((id) => ackers.includes(id)).length);
        assert.deepEqual([...ids].sort(), [...new Set([...expected, ...ackers])].sort());
        assert.equal(progress.tone === "good", progress.acked > 0 && progress.acked === expected.length);
      }),
    );
  });
});

describe("Nodes that a message waited for", () => {
  it("are remembered over a reset, and give way to those of the next message", () => {
    const seen = seenNodes([], status({ acknowledgments: [ack("z")] }));
    assert.deepEqual(seen, ["b", "c", "z"]);
    assert.equal(seenNodes(seen, NOTHING), seen);
    assert.equal(seenNodes(seen, null), seen);
    assert.deepEqual(seenNodes(seen, status({ expected: ["d"] })), ["d"]);
  });

  it("are the same list while nothing is new, so that nothing is drawn anew", () => {
    const seen = seenNodes([], status());
    assert.equal(seenNodes(seen, status({ acknowledgments: [ack("c")] })), seen);
  });
});

describe("The map of the Propagation page", () => {
  const draw = (given: AckStatus, known: readonly string[] = [], active: readonly Member[] = []) => {
    const { rows } = progressOf(given, known);
    return ackMapNodes({ own: "a", rows, dns: [], active });
  };
  const layers = (nodes: ReturnType<typeof draw>) =>
    Object.fromEntries(nodes.map((node) => [node.nodeId, layersOf(node, new Set()).join(" ")]));

  it("draws acknowledged green and overdue red over grey, who is waited for grey, and this node", () => {
    assert.deepEqual(layers(draw(status({ acknowledgments: [ack("b")] }))), {
      a: "own",
      b: "expected acked",
      c: "expected",
    });
    assert.deepEqual(layers(draw(status({ state: "partial", acknowledgments: [ack("b")] }))), {
      a: "own",
      b: "expected acked",
      c: "expected overdue",
    });
  });

  it("draws who acknowledged without being waited for green without grey, and does not count it as expected", () => {
    const nodes = draw(status({ acknowledgments: [ack("b"), ack("z")] }));
    assert.equal(layers(nodes).z, "acked");
    assert.equal(countKind(nodes, "expected"), 2);
    assert.equal(countKind(nodes, "acked"), 2);
  });

  it("turns what was acknowledged grey by a reset, also where the nodes are active members", () => {
    const given = status({ acknowledgments: [ack("b"), ack("z")] });
    const members = [member("b"), member("c"), member("z")];
    assert.equal(layers(draw(given, [], members)).z, "acked");
    const after = draw(NOTHING, seenNodes([], given), members);
    assert.deepEqual(layers(after), { a: "own", b: "expected", c: "expected", z: "expected" });
  });

  it("shows members that no message waits for as active, by their address where nobody named them", () => {
    const nodes = draw(status(), [], [member("d"), member(null, { region: "ams" })]);
    assert.equal(layers(nodes).d, "active");
    assert.deepEqual(
      nodes.find(({ nodeId }) => nodeId === "10.0.0.9:8787"),
      { nodeId: "10.0.0.9:8787", kinds: ["active"], region: "ams" },
    );
    assert.equal(countKind(nodes, "active"), 2);
    assert.equal(countKind(nodes, "expected"), 2);
  });

  it("greens one of two nodes of a region by one acknowledgement", () => {
    const dns = ["m-1", "m-2"].map((node_id) => ({ node_id, region: "ams", machine: "m" }));
    const { rows } = progressOf(status({ expected: ["m-1", "m-2"], acknowledgments: [ack("m-2")] }), []);
    const nodes = ackMapNodes({ own: null, rows, dns, active: [] });
    assert.deepEqual(nodes, [
      { nodeId: "m-1", kinds: ["expected"], region: "ams" },
      { nodeId: "m-2", kinds: ["expected", "acked"], region: "ams" },
    ]);
  });

  it("shows this node as itself alone, whoever else names it", () => {
    const nodes = draw(status({ expected: ["a", "b"] }), [], [member("a")]);
    assert.deepEqual(
      nodes.filter(({ nodeId }) => nodeId === "a"),
      [{ nodeId: "a", kinds: ["own"], region: "a" }],
    );
  });
});
