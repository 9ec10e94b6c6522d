/** @module Lists of sessions from the archive and from RAM: nothing old, nothing twice, nothing left out. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { isAfter, type Listed, newestFirst } from "../../lib/conversation/session-order.ts";
import type { GetUserSessions, Session } from "../../services/conversations/contract.ts";
import { listSessions, type SessionSources } from "../../services/conversations/session-list.ts";

type Status = Session["status"];

/** A session as it is, where it lies, and what the archive believes of it. */
interface Held {
  readonly minute: number;
  readonly status: Status;
  /** The node that leads its group; null: it is not resident. */
  readonly node: number | null;
  /** Status in the archive; null: it is not there yet. */
  readonly archived: Status | null;
}

const NODES = 3;

const session = (id: string, { minute }: Held, status: Status, updated: number): Session => ({
  id,
  user_id: "u",
  agent_id: "a",
  status,
  metadata: {},
  inserted_at: `2026-01-01T00:${String(minute).padStart(2, "0")}:00.000000Z`,
  updated_at: `2026-01-01T01:${String(updated).padStart(2, "0")}:00.000000Z`,
  last_seq: updated,
  dispatch: { state: "idle", epoch: 0, last_sent_seq: 0, last_failure: null },
});

/** The sources of these sessions; an answer holds at most `cut` of them. */
function sourcesOf(
  held: readonly Held[],
  cut: number,
): SessionSources & { readonly all: readonly Session[] } {
  const now = held.map((one, i) => session(`s${i}`, one, one.status, 2));
  const rows = held.flatMap((one, i) =>
    one.archived === null ? [] : [session(`s${i}`, one, one.archived, one.archived === one.status ? 2 : 1)],
  );
  const page = (sessions: readonly Session[], { status, position, limit }: GetUserSessions) => {
    const wanted = sessions
      .filter(
        (one) => (status === undefined || one.status === status) && (!position || isAfter(one, position)),
      )
      .sort(newestFirst);
    const answered = wanted.slice(0, Math.min(limit, cut));
    return { sessions: answered, more: answered.length < wanted.length };
  };
  return {
    all: now.toSorted(newestFirst),
    archived: async (asked) => page(rows, asked),
    resident: async (asked) =>
      Array.from({ length: NODES }, (_, node) => ({
        ...page(
          now.filter((_, i) => held[i]!.node === node),
          asked,
        ),
        groups: [node],
        resident: (asked.known ?? []).filter((id) => held[Number(id.slice(1))]!.node === node),
      })),
  };
}

const status = fc.constantFrom<Status>("active", "archived");
const minute = fc.integer({ min: 0, max: 30 });
const held: fc.Arbitrary<Held> = fc.oneof(
  // Resident, and archived as it is, as it was, or not at all.
  fc.record({
    minute,
    status,
    node: fc.nat({ max: NODES - 1 }),
    archived: fc.option(status),
  }),
  // Not resident, so what the archive has is true.
  fc.tuple(minute, status).map(([at, is]) => ({ minute: at, status: is, node: null, archived: is })),
);

describe("listing a user's sessions", () => {
  it("shows each exactly once, newest first and as it is now, whatever the archive believes and answers are cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(held, { maxLength: 40 }),
        fc.option(status, { nil: undefined }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 8 }),
        async (sessions, filter, limit, cut) => {
          const sources = sourcesOf(sessions, cut);
          const seen: Session[] = [];
          for (let next: Listed | null = null; ; ) {
            const page = await listSessions(
              sources,
              {
                user_id: "u",
                limit,
                ...(filter !== undefined && { status: filter }),
                ...(next !== null && { position: { insertedAt: next.inserted_at, id: next.id } }),
              },
              60_000,
            );
            assert.equal(page.partial, false);
            assert.ok(page.sessions.length <= limit);
            assert.ok(page.sessions.length > 0 || page.next === null, "only the last page may be empty");
            seen.push(...page.sessions);
            next = page.next;
            if (next === null) break;
          }
          assert.deepEqual(
            seen,
            sources.all.filter((one) => filter === undefined || one.status === filter),
          );
        },
      ),
      { numRuns: 500 },
    );
  });

  it("shows what the nodes know, and says that it is partial, while the archive cannot be asked", async () => {
    const sources = sourcesOf(
      [
        { minute: 1, status: "active", node: null, archived: "active" },
        { minute: 2, status: "active", node: 1, archived: "active" },
      ],
      10,
    );
    const page = await listSessions(
      { ...sources, archived: async () => null },
      { user_id: "u", limit: 10 },
      60_000,
    );
    assert.deepEqual([page.sessions.map(({ id }) => id), page.next, page.partial], [["s1"], null, true]);
  });

  it("answers an empty page with the place to go on when its time is over", async () => {
    const stale: Held = { minute: 2, status: "archived", node: 1, archived: "active" };
    const sources = sourcesOf([stale, { ...stale, minute: 1, node: null, archived: "active" }], 1);
    const page = await listSessions(sources, { user_id: "u", limit: 1, status: "active" }, 0);
    assert.deepEqual(page.sessions, []);
    assert.equal(page.next?.id, "s0");
  });
});
