/** @module Lists of members: what agents say, put together into one list, and compared between nodes. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { isoMicros } from "../../lib/clock.ts";
import type { Json } from "../../lib/corrosion/client/json.ts";
import type { Member, MemberView } from "../../services/corrosion/contract.ts";
import { CutJson, concatenatedJson } from "../../services/corrosion/members/concatenated-json.ts";
import { disagreements, FRESH_MS, type Observer } from "../../services/corrosion/members/matrix.ts";
import { mergeMembers, regionsOf, type Sources } from "../../services/corrosion/members/merge.ts";
import {
  BadReply,
  memberReply,
  type StateReply,
  stateReply,
} from "../../services/corrosion/members/replies.ts";
import { memberRow, stateOfRow } from "../../services/corrosion/members/tables.ts";

const id = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
/** 2026-01-02T03:04:05.5Z */
const TS = (1_767_323_045n << 32n) + (1n << 31n);

function state(n: number, fields: Partial<StateReply> = {}): StateReply {
  return {
    id: id(n),
    address: `10.0.0.${n}:8787`,
    ts: TS,
    clusterId: 0,
    incarnation: 1,
    state: "Alive",
    ...fields,
  };
}

function merge(sources: Partial<Sources>): Member[] {
  return mergeMembers({ states: [], members: [], self: null, map: {}, ...sources });
}

const SELF = { id: id(1), nodeId: "ams-one", address: "10.0.0.1:8787" };

describe("The list of members", () => {
  it("joins what both commands say, maps actors to nodes and regions, and keeps NTP64 exact", () => {
    const [self, member] = merge({
      states: [
        stateReply({
          id: { id: id(2), addr: "[FDAA::2]:8787", ts: TS, cluster_id: 3 },
          incarnation: 4,
          state: "Alive",
        }),
      ],
      members: [
        memberReply({
          id: id(2).toUpperCase(),
          state: { addr: "[fdaa::2]:8787", ts: TS, cluster_id: 3, ring: 2, last_sync_ts: TS },
          rtts: [1, 2],
        }),
      ],
      self: SELF,
      map: { [id(2)]: "fra-two" },
    });
    assert.deepEqual(member, {
      id: id(2),
      node_id: "fra-two",
      region: "fra",
      address: "[fdaa::2]:8787",
      state: "Alive",
      status: "active",
      incarnation: 4,
      cluster_id: 3,
      ring: 2,
      rtts: [1, 2],
      rtt_avg_ms: 1.5,
      ts: String(TS),
      last_seen_at: "2026-01-02T03:04:05.500000Z",
      last_sync_at: "2026-01-02T03:04:05.500000Z",
      self: false,
    });
    assert.deepEqual(
      [self?.node_id, self?.self, self?.state, self?.region],
      ["ams-one", true, "Alive", "ams"],
    );
    assert.deepEqual(regionsOf([member!, self!, member!]), ["ams", "fra"]);
  });

  it("has self once and Alive, whatever the others remember of it", () => {
    const members = merge({ states: [state(1, { state: "Down" }), state(2)], self: SELF });
    assert.deepEqual(
      members.map((member) => [member.id, member.state, member.self]),
      [
        [id(1), "Alive", true],
        [id(2), "Alive", false],
      ],
    );
  });

  it("never calls a member that is Down active, and others by the closest thing that is known", () => {
    const sync = (n: number, lastSync: bigint | null) =>
      memberReply({
        id: id(n),
        state: { addr: `10.0.0.${n}:1`, ts: TS, last_sync_ts: lastSync },
        rtts: null,
      });
    const status = (of: Partial<Sources>) => merge(of).map((member) => member.status);
    assert.deepEqual(status({ states: [state(2, { state: "Down" })], members: [sync(2, TS)] }), ["unknown"]);
    assert.deepEqual(status({ states: [state(2, { state: "Suspect" })], members: [sync(2, TS)] }), [
      "active",
    ]);
    assert.deepEqual(status({ states: [state(2)], members: [sync(2, 0n)] }), ["connected"]);
    assert.deepEqual(status({ states: [state(2, { ts: null })] }), ["reachable"]);
    assert.deepEqual(status({ states: [state(2, { ts: 0n, address: "" })] }), ["unknown"]);
  });

  it("takes the entry of an actor's last start, in whatever order they come", () => {
    const old = state(2, { ts: TS - 1n, state: "Down", incarnation: 9 });
    const now = state(2, { ts: TS, state: "Alive", incarnation: 0 });
    const suspect = state(2, { ts: TS, state: "Suspect", incarnation: 1 });
    fc.assert(
      fc.property(fc.shuffledSubarray([old, now, suspect], { minLength: 3 }), (states) => {
        assert.deepEqual(
          merge({ states }).map((member) => member.state),
          ["Suspect"],
        );
      }),
    );
  });

  it("is refused whole when an entry is none that agents send", () => {
    const states: Json[] = [
      null,
      7,
      {},
      { id: { id: "x", addr: "a:1" }, state: "Alive" },
      { id: { id: id(1), addr: "a:1" }, state: "Odd" },
    ];
    for (const entry of states) assert.throws(() => stateReply(entry), BadReply);
    const members: Json[] = [
      null,
      { id: id(1) },
      { id: id(1), state: { addr: 7 } },
      { id: "x", state: { addr: "a:1" } },
    ];
    for (const entry of members) assert.throws(() => memberReply(entry), BadReply);
    assert.throws(() => memberReply({ id: 2n ** 60n, state: {} }), BadReply);
  });
});

describe("A row of __corro_members", () => {
  const actor = Buffer.from(id(2).replaceAll("-", ""), "hex");
  const foca = JSON.stringify({ id: { id: id(2), addr: "[fdaa::2]:1" }, incarnation: 3, state: "Suspect" });

  it("is read, its id hyphenated, its state parsed, its node named", () => {
    assert.deepEqual(memberRow([actor, "[fdaa::2]:8787", foca, 12, "2026-01-02"], { [id(2)]: "fra-two" }), {
      id: id(2),
      node_id: "fra-two",
      address: "[fdaa::2]:8787",
      state: "Suspect",
      incarnation: 3,
      rtt_min: 12,
      updated_at: "2026-01-02",
      raw: null,
    });
    assert.equal(stateOfRow([actor, "", foca, 12, ""])?.state, "Suspect");
  });

  it("is shown raw when its state cannot be read", () => {
    for (const bad of ["{", "[]", '{"state":"Odd"}', "", new Uint8Array([1, 255])]) {
      const row = memberRow([actor, "a:1", bad, null, null], {});
      assert.deepEqual([row.state, row.raw], [null, typeof bad === "string" ? bad : "01ff"]);
      assert.equal(stateOfRow([actor, "a:1", bad, null, null]), null);
    }
    assert.equal(memberRow(["odd", "a:1", null, null, null], {}).id, "odd");
    assert.equal(memberRow([actor, "a:1", null, null, null], {}).raw, null);
  });
});

describe("What the command line prints", () => {
  const json = fc.dictionary(
    fc.string(),
    fc.oneof(fc.string(), fc.integer(), fc.constantFrom("{", "}", '"', "\\")),
  );

  it("is read object by object, pretty or not, between lines of log", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(json, fc.nat({ max: 4 }), fc.constantFrom("", "INFO something {x}\n", " \n\t"))),
        (objects) => {
          const text = objects.map(
            ([value, indent, log]) => `${log}${JSON.stringify(value, null, indent)}\n`,
          );
          assert.deepEqual(
            concatenatedJson(text.join("")),
            objects.map(([value]) => ({ ...value })),
          );
        },
      ),
    );
  });

  it("is refused when it ends inside of an object, or is no JSON", () => {
    assert.throws(() => concatenatedJson('{"a":1}\n{"b":'), CutJson);
    assert.throws(() => concatenatedJson("{a}"), SyntaxError);
    assert.deepEqual(concatenatedJson("error: no such thing"), []);
  });

  it("keeps integers beyond 2^53", () => {
    assert.deepEqual(concatenatedJson(`{"ts":${TS}}`), [{ ts: TS }]);
  });
});

describe("The disagreement matrix", () => {
  const NOW = 1_767_323_045_000_000;

  function view(
    n: number,
    subjects: Record<number, "Alive" | "Suspect" | "Down">,
    fields: Partial<MemberView> = {},
  ): Observer {
    const list = Object.entries(subjects).map(([subject, one]) => ({ id: id(Number(subject)), state: one }));
    const answered = {
      node_id: `ams-${n}`,
      actor_id: id(n),
      at: isoMicros(NOW),
      error: null,
      subjects: list,
    };
    return { node_id: `ams-${n}`, kind: "answered", view: { ...answered, ...fields } };
  }
  const silent = (n: number): Observer => ({ node_id: `ams-${n}`, kind: "no answer", reason: "gone" });
  const rows = (observers: readonly Observer[]) =>
    disagreements(observers, {}, NOW).subjects.map(({ states, disagreement }) => [...states, disagreement]);

  it("shows who thinks what of whom, and flags where nodes differ", () => {
    assert.deepEqual(rows([view(1, { 2: "Alive" }), view(2, { 1: "Alive" })]), [
      ["self", "Alive", false],
      ["Alive", "self", false],
    ]);
    assert.deepEqual(
      rows([view(1, { 2: "Alive", 3: "Alive" }), view(2, { 1: "Alive", 3: "Suspect" }), silent(3)]),
      [
        ["self", "Alive", "no answer", false],
        ["Alive", "self", "no answer", false],
        ["Alive", "Suspect", "no answer", true],
      ],
    );
    assert.deepEqual(rows([view(1, { 2: "Alive", 3: "Down" }), view(2, { 1: "Alive" })]), [
      ["self", "Alive", false],
      ["Alive", "self", false],
      ["Down", "absent", true],
    ]);
  });

  it("flags a node that answers and that others take for Down, but not one whose agent fails", () => {
    assert.deepEqual(rows([view(1, { 2: "Down" }), view(2, { 1: "Alive" })])[1], ["Down", "self", true]);
    const failing = view(2, { 1: "Alive" }, { error: "the agent is away" });
    assert.deepEqual(rows([view(1, { 2: "Down" }), failing])[1], ["Down", "self", false]);
  });

  it("does not count views of 90 s and more, or none at all", () => {
    const old = (ms: number) => view(2, { 1: "Down" }, { at: isoMicros(NOW - ms * 1000) });
    const one = view(1, { 2: "Alive" });
    const third = view(3, { 1: "Alive", 2: "Alive" });
    const flagged = (ms: number) => disagreements([one, old(ms), third], {}, NOW).disagreement;
    assert.equal(flagged(FRESH_MS - 1), true);
    const never = view(2, {}, { at: null, actor_id: null });
    const { observers, subjects } = disagreements(
      [view(1, { 2: "Alive" }), never],
      { [id(2)]: "ams-2" },
      NOW,
    );
    assert.deepEqual(
      subjects.map(({ states }) => states[1]),
      ["no answer", "no answer"],
    );
    assert.deepEqual(
      subjects.map(({ node_id }) => node_id),
      ["ams-1", "ams-2"],
    );
    assert.deepEqual(
      observers.map(({ answered }) => answered),
      [true, true],
    );
    assert.equal(
      disagreements([one, view(2, { 1: "Down" }, { at: isoMicros(NOW - FRESH_MS * 1000) })], {}, NOW)
        .disagreement,
      false,
    );
  });

  it("never flags a cluster of one mind, of whatever size", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 3 }), (size, silence) => {
        const all = Array.from({ length: size }, (_, i) => i + 1);
        const views = all.map((n) =>
          view(n, Object.fromEntries(all.filter((m) => m !== n).map((m) => [m, "Alive" as const]))),
        );
        const quiet = Array.from({ length: silence }, (_, i) => silent(100 + i));
        const matrix = disagreements([...views, ...quiet], {}, NOW);
        assert.equal(matrix.disagreement, false);
        assert.equal(matrix.subjects.length, size);
        for (const { states } of matrix.subjects) assert.equal(states.length, size + silence);
      }),
    );
  });
});
