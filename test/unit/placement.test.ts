/** @module Placement: every node computes the same leaders and followers, evenly, and few groups ever move. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { desiredRoles, rankNodes } from "../../services/raft/placement.ts";

const GROUPS = 256;
const group = fc.nat(4095);
const nodes = fc.uniqueArray(fc.stringMatching(/^[\w.-]{1,20}$/), { minLength: 1, maxLength: 9 });

function cluster(size: number): string[] {
  return Array.from({ length: size }, (_, i) => `dev-node${i + 1}`);
}

describe("placement", () => {
  it("ranks nodes by SHA-256 of group and node id, highest first", () => {
    fc.assert(
      fc.property(group, nodes, (number, ids) => {
        const hash = (id: string) =>
          BigInt(`0x${createHash("sha256").update(`${number}:${id}`).digest("hex")}`);
        const ranked = rankNodes(number, ids);
        for (let i = 1; i < ranked.length; i++) assert.ok(hash(ranked[i - 1]!) > hash(ranked[i]!));
        assert.deepEqual([...ranked].sort(), [...ids].sort());
      }),
    );
  });

  it("is the same on every node, in whatever order it sees the others", () => {
    const shuffled = nodes.chain((ids) =>
      fc.tuple(fc.constant(ids), fc.shuffledSubarray(ids, { minLength: ids.length, maxLength: ids.length })),
    );
    fc.assert(
      fc.property(group, shuffled, (number, [ids, others]) => {
        const before = [...others];
        assert.deepEqual(rankNodes(number, ids), rankNodes(number, others));
        assert.deepEqual(others, before, "what was given is left alone");
      }),
    );
  });

  it("keeps the order of those who stay when a node joins or leaves", () => {
    fc.assert(
      fc.property(group, nodes, fc.nat(), (number, ids, which) => {
        const leaver = ids[which % ids.length]!;
        const rest = ids.filter((id) => id !== leaver);
        assert.deepEqual(
          rankNodes(number, rest),
          rankNodes(number, ids).filter((id) => id !== leaver),
        );
      }),
    );
  });

  it("ranks a node whose copy is halted behind all others, which keep their order", () => {
    const some = nodes.chain((ids) => fc.tuple(fc.constant(ids), fc.subarray(ids)));
    fc.assert(
      fc.property(group, some, (number, [ids, halted]) => {
        const ranked = rankNodes(number, ids, (node, of) => of === number && halted.includes(node));
        const plain = rankNodes(number, ids);
        const well = plain.filter((id) => !halted.includes(id));
        assert.deepEqual(ranked, [...well, ...plain.filter((id) => halted.includes(id))]);
        assert.deepEqual(
          rankNodes(number, ids, (node, of) => of !== number && halted.includes(node)),
          plain,
        );
      }),
    );
  });

  it("gives each group one leader and two followers, or fewer when there are fewer nodes", () => {
    for (const replicas of [1, 2, 3, 5]) {
      for (let size = 1; size <= 6; size++) {
        const ids = cluster(size);
        const roles = ids.map((id) => desiredRoles(id, ids, GROUPS, replicas));
        for (let number = 0; number < GROUPS; number++) {
          const held = roles.map((ofNode) => ofNode[number]);
          assert.equal(held.filter((role) => role === "leader").length, 1);
          const followers = Math.min(replicas, size) - 1;
          assert.equal(held.filter((role) => role === "follower").length, followers);
          assert.equal(held[ids.indexOf(rankNodes(number, ids)[0]!)], "leader");
        }
      }
    }
  });

  it("moves only the groups that a joining node takes, about one in n", () => {
    for (let size = 1; size <= 8; size++) {
      const before = cluster(size);
      const after = cluster(size + 1);
      const newcomer = after.at(-1)!;
      let moved = 0;
      for (let number = 0; number < GROUPS; number++) {
        const leader = rankNodes(number, after)[0];
        if (leader === rankNodes(number, before)[0]) continue;
        assert.equal(leader, newcomer);
        moved += 1;
      }
      const share = GROUPS / (size + 1);
      assert.ok(Math.abs(moved - share) < 4 * Math.sqrt(share), `${moved} moved of about ${share}`);
    }
  });

  it("hands the groups of a lost leader to their first followers", () => {
    const ids = cluster(5);
    for (let number = 0; number < GROUPS; number++) {
      const [leader, first] = rankNodes(number, ids);
      const survivors = ids.filter((id) => id !== leader);
      assert.equal(rankNodes(number, survivors)[0], first);
    }
  });

  it("spreads leaders and followers evenly", () => {
    for (let size = 2; size <= 9; size++) {
      const ids = cluster(size);
      const share = GROUPS / size;
      for (const id of ids) {
        const roles = desiredRoles(id, ids, GROUPS, 3);
        const leads = roles.filter((role) => role === "leader").length;
        assert.ok(Math.abs(leads - share) < 4 * Math.sqrt(share), `${id} of ${size} leads ${leads}`);
      }
    }
  });

  it("gives a node that is not among the live ones nothing", () => {
    assert.ok(desiredRoles("gone", cluster(3), GROUPS, 3).every((role) => role === "none"));
  });
});
