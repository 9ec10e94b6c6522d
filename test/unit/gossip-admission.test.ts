/** @module Which connections gossip keeps when somebody has said hello. */
import assert from "node:assert/strict";
import { type Admission, admit, type Introduced } from "../../corrosion/embedded/gossip/admission.ts";
import type { Hello } from "../../corrosion/embedded/gossip/wire.ts";

const hello = (actor: string, fields: Partial<Hello> = {}): Hello => ({
  t: "hello",
  actor,
  instance: `run of ${actor}`,
  dial: 0,
  address: `${actor}:1`,
  cluster: 0,
  member: null,
  ...fields,
});

/** How `own` sees a connection with `other`. */
const seen = (other: string, dialed: boolean, dial: number, fields: Partial<Hello> = {}): Introduced => ({
  hello: hello(other, fields),
  dialed,
  dial,
});

const judge = (own: string, next: Introduced, existing: Introduced | null = null, silentMs = 0): Admission =>
  admit(hello(own), next, existing, silentMs, 3000);

describe("two connections between the same agents", () => {
  it("become one, and both sides keep the same", () => {
    // Each connection: who dialed, and that side's count.
    const pairs = [
      [
        ["a", 1],
        ["b", 1],
      ],
      [
        ["b", 4],
        ["a", 1],
      ],
      [
        ["a", 1],
        ["a", 2],
      ],
      [
        ["b", 7],
        ["b", 3],
      ],
    ] as const;
    for (const connections of pairs) {
      const kept = ["a", "b"].flatMap((own) => {
        const other = own === "a" ? "b" : "a";
        const views = connections.map(([dialer, dial]) => seen(other, dialer === own, dial));
        // In whichever order the two are introduced.
        return [
          [0, 1],
          [1, 0],
        ].map(([first, second]) => {
          const admission = judge(own, views[second!]!, views[first!]!);
          return admission.kind === "replaces" ? second : first;
        });
      });
      assert.equal(new Set(kept).size, 1, JSON.stringify(connections));
    }
  });
});

describe("a connection is refused", () => {
  it("by an agent of another cluster", () => {
    const next = seen("b", true, 1, { cluster: 7 });
    assert.deepEqual(judge("a", next), {
      kind: "refused",
      message: "the agent at b:1 is in cluster 7, this one in cluster 0",
    });
  });

  it("when a copy of this agent's database, or of another's that lives, speaks at its other end", () => {
    const own = judge("a", seen("a", false, 1, { instance: "another", address: "copy:1" }));
    assert.equal(own.kind, "refused");
    assert.match(
      own.kind === "refused" ? own.message : "",
      /^the agent at copy:1 has the same actor id a .*copy/,
    );
    const there = seen("b", true, 1);
    const copy = seen("b", false, 9, { instance: "another", address: "copy:1" });
    assert.match(JSON.stringify(judge("a", copy, there)), /b:1 and copy:1 have the same actor id b/);
    assert.equal(judge("a", copy, there, 3001).kind, "replaces", "it has moved: the old one is silent");
  });

  it("but not when the agent was restarted at its address", () => {
    const again = seen("b", false, 1, { instance: "next run" });
    assert.equal(judge("a", again, seen("b", true, 5)).kind, "replaces");
    assert.equal(judge("a", again).kind, "new");
  });

  it("without a word when it leads to the agent itself", () => {
    assert.deepEqual(judge("a", seen("a", true, 1)), { kind: "self" });
  });
});
