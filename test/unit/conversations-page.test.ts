/** @module What the Conversations page decides apart from any browser: what is shown, unread, and on its way. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ApiError } from "../../public/data/api-error.ts";
import {
  type Conversation,
  type ConversationEvent,
  conversationAfter,
  earlierRange,
  firstUnreadOf,
  hasLater,
  KEPT,
  lastSeqOf,
  laterRange,
  PAGE,
  unopened,
} from "../../public/pages/conversations/conversation.ts";
import { beginsDay, dayText } from "../../public/pages/conversations/days.ts";
import { type StreamChunk, shownDrafts } from "../../public/pages/conversations/drafts.ts";
import {
  beginning,
  blocksOf,
  textBlocks,
  wholeText,
} from "../../public/pages/conversations/message-blocks.ts";
import {
  ATTEMPTS,
  nextOf,
  type Outgoing,
  outboxAfter,
  outgoingBeside,
} from "../../public/pages/conversations/outbox.ts";
import {
  allOf,
  newIn,
  passedAfter,
  placeOf,
  seenAfter,
} from "../../public/pages/conversations/session-list.ts";
import type { Message, Session } from "../../services/conversations/contract.ts";

const message = (seq: number, sender = "ada"): Message => ({
  id: `m${seq}`,
  session_id: "s",
  seq,
  sender_id: sender,
  kind: "text",
  content: { text: `text ${seq}` },
  metadata: {},
  inserted_at: "2026-01-02T03:04:05.678901Z",
});

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => message(from + i));
const seqs = ({ messages }: Conversation) => messages.map(({ seq }) => seq);

function opened(from: number, to: number): Conversation {
  const page = { messages: range(from, to), last_seq: to, has_more: from > 1 };
  return conversationAfter(unopened("ada"), { kind: "loaded", page });
}

/** What a node does for a page: live messages, and the ranges that it asks for, of a session that grows. */
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("live" as const), count: fc.integer({ min: 1, max: 150 }) }),
    fc.record({ kind: fc.constant("following" as const), following: fc.boolean() }),
    fc.constantFrom({ kind: "earlier" as const }, { kind: "later" as const }, { kind: "newest" as const }),
  ),
  { maxLength: 30 },
);

describe("An open conversation", () => {
  it("shows a part of the session without a hole, never more than is kept, however somebody moves in it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 900 }), steps, (size, moves) => {
        let total = size;
        let conversation = opened(Math.max(1, size - PAGE + 1), size);
        const tell = (event: ConversationEvent) => {
          conversation = conversationAfter(conversation, event);
        };
        for (const move of moves) {
          if (move.kind === "following") tell(move);
          else if (move.kind === "live") {
            tell({ kind: "messages", messages: range(total + 1, total + move.count) });
            total += move.count;
          } else if (move.kind === "newest") {
            const messages = range(Math.max(1, total - PAGE + 1), total);
            tell({ kind: "loaded", page: { messages, last_seq: total, has_more: total > PAGE } });
          } else {
            const { after, to } = (move.kind === "earlier" ? earlierRange : laterRange)(conversation);
            tell({ kind: move.kind, messages: range(after + 1, to) });
          }
          const shown = seqs(conversation);
          assert.deepEqual(
            shown,
            shown.map((_, i) => shown[0]! + i),
          );
          assert.ok(shown.length <= KEPT);
          assert.equal(conversation.head, total);
          assert.equal(hasLater(conversation), (shown.at(-1) ?? 0) < total);
        }
      }),
    );
  });

  it("follows the newest, and takes nothing away from somebody who reads older ones", () => {
    const live = { kind: "messages", messages: range(11, KEPT + 30) } as const;
    const followed = conversationAfter(opened(1, 10), live);
    assert.deepEqual([seqs(followed)[0], lastSeqOf(followed)], [31, KEPT + 30]);
    const read = conversationAfter(
      conversationAfter(opened(1, 10), { kind: "following", following: false }),
      live,
    );
    assert.deepEqual(seqs(read), seqs(opened(1, 10)));
    assert.deepEqual([read.head, hasLater(read)], [KEPT + 30, true]);
    assert.deepEqual(laterRange(read), { after: 10, to: 10 + PAGE });
  });

  it("asks for the page before the first message, and for nothing before message 1", () => {
    assert.deepEqual(earlierRange(opened(301, 350)), { after: 200, to: 300 });
    assert.deepEqual(earlierRange(opened(31, 50)), { after: 0, to: 30 });
    assert.deepEqual(earlierRange(opened(1, 50)), { after: 0, to: 0 });
    assert.deepEqual(
      seqs(conversationAfter(opened(31, 50), { kind: "earlier", messages: range(1, 30) })).length,
      50,
    );
    const late = conversationAfter(opened(31, 50), { kind: "earlier", messages: range(1, 20) });
    assert.deepEqual(seqs(late), seqs(opened(31, 50)));
  });

  it("leaves no hole: an own message that is ahead of others waits for them", () => {
    const before = opened(1, 3);
    assert.deepEqual(seqs(conversationAfter(before, { kind: "stored", message: message(4) })), [1, 2, 3, 4]);
    const ahead = conversationAfter(before, { kind: "stored", message: message(6) });
    assert.deepEqual(seqs(ahead), [1, 2, 3]);
    assert.equal(lastSeqOf(ahead), 3);
    assert.deepEqual(
      seqs(conversationAfter(ahead, { kind: "messages", messages: range(4, 6) })),
      [1, 2, 3, 4, 5, 6],
    );
  });

  it("tells since when it is interrupted, is live again after a join, and stays refused", () => {
    const lost = conversationAfter(unopened("ada"), { kind: "lost", at: 5 });
    assert.deepEqual(conversationAfter(lost, { kind: "lost", at: 9 }).link, {
      kind: "reconnecting",
      since: 5,
    });
    assert.deepEqual(conversationAfter(lost, { kind: "joined" }).link, { kind: "live" });
    const refused = conversationAfter(lost, { kind: "refused", reason: "unauthorized" });
    assert.deepEqual(conversationAfter(refused, { kind: "lost", at: 9 }).link, refused.link);
  });

  it("keeps what it shows when a later request for it fails", () => {
    const error = new Error("gone");
    assert.equal(conversationAfter(unopened("ada"), { kind: "load_failed", error }).load, error);
    assert.equal(conversationAfter(opened(1, 2), { kind: "load_failed", error }).load, "ready");
  });

  it("counts as unread what others wrote above the cursor, each message once, wherever it was heard of", () => {
    const known = conversationAfter(opened(1, 3), { kind: "read", readSeq: 1, count: 1, lastSeq: 3 });
    assert.equal(known.unread?.count, 1);
    const more = { kind: "messages", messages: [message(4, "bot"), message(5), message(6, "bot")] } as const;
    assert.equal(conversationAfter(known, more).unread?.count, 3);
    assert.equal(conversationAfter(conversationAfter(known, more), more).unread?.count, 3);
    // The node's answer is of before, or after, what came meanwhile.
    const early = conversationAfter(conversationAfter(opened(1, 3), more), {
      kind: "read",
      readSeq: 1,
      count: 1,
      lastSeq: 3,
    });
    assert.equal(early.unread?.count, 3);
    const late = conversationAfter(
      conversationAfter(opened(1, 3), { kind: "read", readSeq: 1, count: 3, lastSeq: 6 }),
      more,
    );
    assert.equal(late.unread?.count, 3);
  });

  it("shows where the unread begin when that place is shown", () => {
    const said = (conversation: Conversation, readSeq: number) =>
      firstUnreadOf(conversationAfter(conversation, { kind: "read", readSeq, count: 9, lastSeq: 0 }));
    const messages = [message(5), message(6, "bot"), message(7), message(8, "bot")];
    const conversation = conversationAfter(unopened("ada"), {
      kind: "loaded",
      page: { messages, last_seq: 8, has_more: true },
    });
    assert.deepEqual(
      [4, 5, 6, 8].map((readSeq) => said(conversation, readSeq)),
      [6, 6, 8, null],
    );
    assert.equal(said(conversation, 2), null);
    assert.equal(firstUnreadOf(conversation), null);
  });
});

describe("What an agent is writing", () => {
  const chunk = (index: number, delta: string, more: Partial<StreamChunk> = {}) =>
    ({
      kind: "chunk",
      chunk: {
        agent_id: "bot",
        dispatch_id: "s.1",
        attempt: 1,
        index,
        chunk: { type: "text-delta", delta },
        ...more,
      },
    }) as const;
  const textsAfter = (...events: readonly ConversationEvent[]) =>
    shownDrafts(events.reduce(conversationAfter, opened(1, 1)).drafts).map(({ text }) => text);

  it("grows by its chunks, whatever kinds of chunks come between", () => {
    const other = chunk(1, "", { chunk: { type: "tool-input-start", delta: 7 } });
    assert.deepEqual(textsAfter(chunk(0, "Hel"), other, chunk(2, "lo")), ["Hello"]);
  });

  it("is void when another attempt begins, and late chunks of the one before are nothing", () => {
    const second = { attempt: 2 };
    assert.deepEqual(textsAfter(chunk(0, "old"), chunk(0, "new", second), chunk(1, "late")), ["new"]);
  });

  it("shows no text of which the beginning, or a part, was not heard", () => {
    assert.deepEqual(textsAfter(chunk(3, "end")), [null]);
    assert.deepEqual(textsAfter(chunk(0, "a"), chunk(2, "c"), chunk(3, "d")), [null]);
  });

  it("gives way to the message, and to the next one of the same answer", () => {
    const stored = { kind: "messages", messages: [message(2, "bot")] } as const;
    assert.deepEqual(textsAfter(chunk(0, "a"), stored), []);
    assert.deepEqual(textsAfter(chunk(0, "a"), stored, chunk(1, "b")), ["b"]);
    assert.deepEqual(textsAfter(chunk(0, "a"), { kind: "messages", messages: [message(2, "ada")] }), ["a"]);
  });

  it("ends with a failed dispatch, and with the connection that it came by", () => {
    assert.deepEqual(textsAfter(chunk(0, "a"), { kind: "dispatch_failed", dispatchId: "s.1" }), []);
    assert.deepEqual(textsAfter({ kind: "joined" }, chunk(0, "a"), { kind: "lost", at: 1 }), []);
  });

  it("ends with the dispatch that it is of, when no message came of it", () => {
    const dispatch = (state: "idle" | "inflight", epoch: number) =>
      ({ kind: "dispatch", dispatch: { state, epoch, last_sent_seq: 0, last_failure: null } }) as const;
    assert.deepEqual(textsAfter(chunk(0, "a"), dispatch("inflight", 1)), ["a"]);
    assert.deepEqual(textsAfter(chunk(0, "a"), dispatch("idle", 0)), ["a"]);
    assert.deepEqual(textsAfter(chunk(0, "a"), dispatch("idle", 1)), []);
  });

  it("is the same whether events come one by one or in a batch", () => {
    const events = [chunk(0, "a"), chunk(1, "b")];
    assert.deepEqual(textsAfter({ kind: "batch", events }), textsAfter(...events));
  });
});

const failure = (status: number, retryAfterMs: number | null = null) =>
  new ApiError("no", { status, code: "x", retryAfterMs });
const written = (key: string, text = key) =>
  ({ kind: "written", key, sender: "user", senderId: "ada", text, after: 4 }) as const;
const afterFailures = (...errors: readonly unknown[]): Outgoing =>
  errors.reduce<readonly Outgoing[]>(
    (outbox, error) =>
      outboxAfter(outboxAfter(outbox, { kind: "failed", key: "a", error }), { kind: "again", key: "a" }),
    outboxAfter([], written("a")),
  )[0]!;
const failedOnce = (error: unknown) =>
  outboxAfter(outboxAfter([], written("a")), { kind: "failed", key: "a", error })[0]!;

describe("The outbox of a conversation", () => {
  it("tries again with the same key after whatever may pass: no answer, 429, 503, 504", () => {
    for (const status of [0, 429, 500, 503, 504]) {
      const out = failedOnce(failure(status));
      assert.deepEqual([out.key, out.state.kind], ["a", "waiting"], String(status));
    }
  });

  it("gives up at once what the node will always refuse", () => {
    for (const error of [failure(403), failure(409), failure(413), failure(422), new TypeError("broken")]) {
      assert.deepEqual(failedOnce(error).state, { kind: "failed", reason: error.message, final: true });
    }
  });

  it("waits twice as long each time, as long as the node asks, and never more than 5 s", () => {
    const delays = [1, 2, 3, 4, 5].map((attempts) => {
      const errors = Array.from({ length: attempts - 1 }, () => failure(503));
      const [out] = outboxAfter([afterFailures(...errors)], {
        kind: "failed",
        key: "a",
        error: failure(503),
      });
      return out?.state.kind === "waiting" && out.state.delayMs;
    });
    assert.deepEqual(delays, [250, 500, 1000, 2000, 4000]);
    const asked = (ms: number) => {
      const { state } = failedOnce(failure(503, ms));
      return state.kind === "waiting" && state.delayMs;
    };
    assert.deepEqual([asked(1500), asked(60_000)], [1500, 5000]);
  });

  it("shows nothing twice: what came as a message already is not on its way beside it", () => {
    const two = [written("a", "hi"), written("b", "hi")].reduce<readonly Outgoing[]>(outboxAfter, []);
    const keys = (...messages: readonly Message[]) => outgoingBeside(two, messages).map(({ key }) => key);
    const said = (seq: number, sender = "ada") => ({ ...message(seq, sender), content: { text: "hi" } });
    assert.deepEqual(keys(), ["a", "b"]);
    assert.deepEqual(keys(said(4), said(5, "bot"), message(6)), ["a", "b"]);
    assert.deepEqual(keys(said(5)), ["b"]);
    assert.deepEqual(keys(said(5), said(6)), []);
    const refused = outboxAfter(two, { kind: "failed", key: "a", error: failure(422) });
    assert.deepEqual(
      outgoingBeside(refused, [said(5)]).map(({ key }) => key),
      ["a"],
    );
  });

  it("leaves it to the person after the last attempt, who may try again with the same key", () => {
    let outbox: readonly Outgoing[] = outboxAfter([], written("a"));
    for (let i = 0; i < ATTEMPTS; i++) {
      outbox = outboxAfter(outboxAfter(outbox, { kind: "again", key: "a" }), {
        kind: "failed",
        key: "a",
        error: failure(503),
      });
    }
    assert.deepEqual(outbox[0]?.state, { kind: "failed", reason: "no", final: false });
    assert.equal(nextOf(outbox), null);
    const [again] = outboxAfter(outbox, { kind: "retry", key: "a" });
    assert.deepEqual([again?.key, again?.attempts, again?.state.kind], ["a", 0, "sending"]);
  });

  it("sends one at a time, in the order in which they were written; a failed one holds up nobody", () => {
    const two = [written("a"), written("b")].reduce<readonly Outgoing[]>(outboxAfter, []);
    assert.equal(nextOf(two)?.key, "a");
    const waiting = outboxAfter(two, { kind: "failed", key: "a", error: failure(503) });
    assert.equal(nextOf(waiting)?.key, "a");
    const refused = outboxAfter(two, { kind: "failed", key: "a", error: failure(422) });
    assert.equal(nextOf(refused)?.key, "b");
    assert.equal(nextOf(outboxAfter(refused, { kind: "retry", key: "a" }))?.key, "b");
    assert.equal(nextOf(outboxAfter(two, { kind: "done", key: "a" }))?.key, "b");
  });
});

const session = (id: string, last_seq = 0): Session => ({
  id,
  user_id: "ada",
  agent_id: "bot",
  status: "active",
  metadata: {},
  inserted_at: "2026-01-02T03:04:05.678901Z",
  updated_at: "2026-01-02T03:04:05.678901Z",
  last_seq,
  dispatch: { state: "idle", epoch: 0, last_sent_seq: 0, last_failure: null },
});

describe("The list of sessions", () => {
  it("has each session once, as the newest answer has it", () => {
    const all = allOf([session("a", 5), session("b")], [session("a", 1), session("c")]);
    assert.deepEqual(
      all.map(({ id, last_seq }) => [id, last_seq]),
      [
        ["a", 5],
        ["b", 0],
        ["c", 0],
      ],
    );
  });

  it("keeps what newer ones pushed off the newest page, newest first, each once, and not for ever", () => {
    const ids = (sessions: readonly Session[]) => sessions.map(({ id }) => id);
    const [a, b, c, d] = [session("a"), session("b"), session("c"), session("d")];
    const first = passedAfter([], [b, a], [c, b], 3);
    assert.deepEqual(ids(first), ["a"]);
    const second = passedAfter(first, [c, b], [d, c], 3);
    assert.deepEqual(ids(second), ["b", "a"]);
    assert.equal(passedAfter(second, [d, c], [c, d], 3), second);
    // One that came back, and was pushed off again.
    assert.deepEqual(ids(passedAfter(second, [d, a], [d, c], 3)), ["a", "b"]);
    assert.deepEqual(ids(passedAfter(second, [d, c], [], 3)), ["d", "c", "b"]);
  });

  it("tells what is new since a session was seen, and nothing of one that is met for the first time or open", () => {
    const seen = seenAfter(new Map(), [session("a", 5), session("b", 2)], null);
    assert.equal(newIn(session("a", 5), seen), 0);
    const later = seenAfter(seen, [session("a", 8), session("b", 3)], "b");
    assert.equal(newIn(session("a", 8), later), 3);
    assert.equal(newIn(session("b", 3), later), 0);
    assert.equal(newIn(session("c", 9), later), 0);
    assert.equal(seenAfter(later, [session("a", 9)], "b"), later);
    assert.equal(newIn(session("a", 9), seenAfter(later, [session("a", 9)], "a")), 0);
  });

  it("keeps any id inside its place in the address", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (user, id) => {
        const { pathname, searchParams } = new URL(placeOf(user, id), "http://node");
        assert.equal(pathname, "/conversations");
        assert.deepEqual(
          [searchParams.get("user_id"), searchParams.get("session_id")],
          [user.toWellFormed(), id.toWellFormed()],
        );
      }),
    );
    assert.equal(placeOf(null, null), "/conversations");
  });
});

const blocks = (content: Message["content"]) =>
  blocksOf({ content }).map(({ kind, text }) => [kind, text] as const);

describe("A message", () => {
  it("is its text, or its parts in order; whatever else is stored stands as data", () => {
    assert.deepEqual(blocks({ text: "hi" }), [["text", "hi"]]);
    const parts = [
      { type: "step-start" },
      { type: "reasoning", text: "hm" },
      { type: "text", text: "a" },
      { type: "file", url: "x" },
    ];
    assert.deepEqual(blocks({ parts, role: "assistant" }), [
      ["reasoning", "hm"],
      ["text", "a"],
      ["data", JSON.stringify(parts[3], null, 2)],
    ]);
    assert.deepEqual(blocks({ text: "hi", size: 7 }), [
      ["text", "hi"],
      ["data", '{\n  "size": 7\n}'],
    ]);
    assert.deepEqual(blocks({}), [["data", "{}"]]);
    assert.deepEqual(blocks({ parts: [null] }), [["data", "null"]]);
  });

  it("keeps every line of a text, code apart from prose, and an unclosed fence as it was typed", () => {
    const text = "look:\n```ts\nif (a < b) {\n\n  c();\n}\n```\ndone\n";
    assert.deepEqual(
      textBlocks(text).map(({ kind, text: of }) => [kind, of]),
      [
        ["text", "look:"],
        ["code", "if (a < b) {\n\n  c();\n}"],
        ["text", "done\n"],
      ],
    );
    assert.deepEqual(textBlocks("a\n```\nb"), [{ kind: "text", text: "a\n```\nb" }]);
    assert.deepEqual(textBlocks(""), [{ kind: "text", text: "" }]);
    const lines = fc.array(fc.constantFrom("a", " a", "```", "```js", ""));
    fc.assert(
      fc.property(lines, (of) => {
        const said = (text: string) => text.split("\n").filter((line) => line.includes("a"));
        assert.deepEqual(said(wholeText(textBlocks(of.join("\n")))), said(of.join("\n")));
      }),
    );
  });

  it("shows the beginning of what is long, and tells how long it is", () => {
    const long = textBlocks(`${"x".repeat(50)}\n\`\`\`\n${"y".repeat(50)}\n\`\`\``);
    assert.deepEqual(beginning(long, 60), {
      length: 100,
      blocks: [
        { kind: "text", text: "x".repeat(50) },
        { kind: "code", text: "y".repeat(10) },
      ],
    });
    assert.deepEqual(beginning(long, 100).blocks, long);
  });
});

describe("The days between messages", () => {
  it("are told once each, the newest ones by name", () => {
    const noon = new Date(2026, 10, 22, 12).getTime();
    const at = (hours: number) => new Date(noon + hours * 3_600_000).toISOString();
    assert.deepEqual(
      [at(-2), at(-13), at(-60)].map((iso) => dayText(iso, noon)),
      ["Today", "Yesterday", "Friday, 20 November 2026"],
    );
    assert.equal(dayText("never", noon), "never");
    assert.ok(beginsDay(at(0), undefined));
    assert.ok(beginsDay(at(0), at(-13)));
    assert.ok(!beginsDay(at(0), at(-2)));
  });
});
