/** @module What the Conversations page decides apart from any browser: what is shown, unread, and on its way. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ApiError } from "../../public/data/api-error.ts";
import {
  type Conversation,
  type ConversationEvent,
  conversationAfter,
  earlierRange,
  KEPT,
  lastSeqOf,
  PAGE,
  UNOPENED,
  unreadOf,
} from "../../public/pages/conversations/conversation.ts";
import { type StreamChunk, shownDrafts } from "../../public/pages/conversations/drafts.ts";
import { messageText } from "../../public/pages/conversations/message-text.ts";
import { ATTEMPTS, nextOf, type Outgoing, outboxAfter } from "../../public/pages/conversations/outbox.ts";
import { allOf, newIn, placeOf, seenAfter } from "../../public/pages/conversations/session-list.ts";
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
  return conversationAfter(UNOPENED, { kind: "loaded", page });
}

describe("An open conversation", () => {
  it("shows each message once and in order, however often and in whatever pieces it comes", () => {
    const pieces = fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 20 })));
    fc.assert(
      fc.property(pieces, (parts) => {
        const after = parts.reduce(
          (conversation, [from, more]) =>
            conversationAfter(conversation, { kind: "messages", messages: range(from, from + more) }),
          UNOPENED,
        );
        const expected = new Set(
          parts.flatMap(([from, more]) => range(from, from + more).map(({ seq }) => seq)),
        );
        assert.deepEqual(
          seqs(after),
          [...expected].sort((a, b) => a - b),
        );
      }),
    );
  });

  it("keeps the newest messages and knows that there are earlier ones", () => {
    const long = conversationAfter(opened(1, 10), { kind: "messages", messages: range(11, KEPT + 30) });
    assert.equal(long.messages.length, KEPT);
    assert.equal(lastSeqOf(long), KEPT + 30);
    assert.ok(long.hasEarlier);
  });

  it("asks for the page before the first message, and for nothing before message 1", () => {
    assert.deepEqual(earlierRange(opened(301, 350)), { after: 300 - PAGE, before: 301 });
    assert.deepEqual(earlierRange(opened(31, 50)), { after: 0, before: 31 });
    const earlier = conversationAfter(opened(31, 50), { kind: "earlier", messages: range(1, 30) });
    assert.deepEqual([earlier.messages.length, earlier.hasEarlier], [50, false]);
    assert.equal(opened(31, 50).hasEarlier, true);
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
    const lost = conversationAfter(UNOPENED, { kind: "lost", at: 5 });
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
    assert.equal(conversationAfter(UNOPENED, { kind: "load_failed", error }).load, error);
    assert.equal(conversationAfter(opened(1, 2), { kind: "load_failed", error }).load, "ready");
  });

  it("counts as unread what others wrote above the cursor", () => {
    const messages = [
      message(1, "bot"),
      message(2, "ada"),
      message(3, "bot"),
      message(4, "ada"),
      message(5, "bot"),
    ];
    assert.deepEqual(
      unreadOf(messages, "ada", 1).map(({ seq }) => seq),
      [3, 5],
    );
    assert.deepEqual(unreadOf(messages, "ada", 5), []);
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

  it("is the same whether events come one by one or in a batch", () => {
    const events = [chunk(0, "a"), chunk(1, "b")];
    assert.deepEqual(textsAfter({ kind: "batch", events }), textsAfter(...events));
  });
});

const failure = (status: number, retryAfterMs: number | null = null) =>
  new ApiError("no", { status, code: "x", retryAfterMs });
const written = (key: string) => ({ kind: "written", key, sender: "user", text: key }) as const;
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

describe("A message", () => {
  it("is its text, the texts of its parts, or else all that is stored of it", () => {
    assert.equal(messageText({ content: { text: "hi" } }), "hi");
    const parts = [
      { type: "reasoning", text: "hm" },
      { type: "text", text: "a" },
      null,
      { type: "text", text: "b" },
    ];
    assert.equal(messageText({ content: { parts } }), "a\nb");
    assert.equal(
      messageText({ content: { parts: [{ type: "file" }] } }),
      '{\n  "parts": [\n    {\n      "type": "file"\n    }\n  ]\n}',
    );
    assert.equal(messageText({ content: {} }), "{}");
  });
});
