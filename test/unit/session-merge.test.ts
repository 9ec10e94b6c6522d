/** @module Lists of sessions put together from nodes whose answers may be cut short. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Listed, newestFirst } from "../../lib/conversation/session-order.ts";
import type { Session } from "../../services/conversations/contract.ts";
import { mergeSessions } from "../../services/conversations/session-merge.ts";

const session = (id: string, minute: number, updated = minute): Session => ({
  id,
  user_id: "u",
  agent_id: "a",
  status: "active",
  metadata: {},
  inserted_at: `2026-01-01T00:${String(minute).padStart(2, "0")}:00.000000Z`,
  updated_at: `2026-01-01T00:${String(updated).padStart(2, "0")}:00.000000Z`,
  last_seq: 0,
  dispatch: { state: "idle", epoch: 0, last_sent_seq: 0, last_failure: null },
});

describe("merging the sessions of several nodes", () => {
  it("pages through all of them, each once and newest first, however the answers are cut", () => {
    const minutes = fc.array(fc.array(fc.integer({ min: 0, max: 59 }), { maxLength: 12 }), { maxLength: 4 });
    fc.assert(
      fc.property(
        minutes,
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 6 }),
        (nodes, limit, cut) => {
          const held = nodes.map((list, node) => list.map((minute, i) => session(`${node}-${i}`, minute)));
          const all = held.flat().sort(newestFirst);
          const seen: Session[] = [];
          for (let last: Listed | null = null; ; ) {
            const after = last;
            const answers = held.map((sessions) => {
              const wanted = sessions.filter((s) => !after || newestFirst(s, after) > 0).sort(newestFirst);
              const answered = wanted.slice(0, Math.min(limit, cut));
              return { sessions: answered, end: answered.length < wanted.length ? answered.at(-1)! : null };
            });
            const page = mergeSessions(answers, limit);
            assert.ok(page.sessions.length <= limit);
            assert.ok(page.sessions.length > 0 || !page.next, "a page that promises more is not empty");
            seen.push(...page.sessions);
            if (!page.next) break;
            last = page.next;
          }
          assert.deepEqual(seen, all);
        },
      ),
    );
  });

  it("believes the answer that has seen more where two nodes answer for one session", () => {
    const [older, newer] = [session("s", 1, 2), session("s", 1, 3)];
    for (const answers of [
      [older, newer],
      [newer, older],
    ]) {
      const merged = mergeSessions(
        answers.map((one) => ({ sessions: [one], end: null })),
        10,
      );
      assert.deepEqual(merged, { sessions: [newer], next: null });
    }
  });
});
