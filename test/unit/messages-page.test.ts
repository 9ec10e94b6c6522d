/** @module Tests: a page of messages that is read in parts while messages go on being appended. */
import assert from "node:assert/strict";
import type { ServiceBroker } from "moleculer";
import type { ListMessages, Message, MessagePage } from "../../services/conversations/contract.ts";
import messagesService from "../../services/conversations/messages.service.ts";
import type { ReadMessages } from "../../services/raft/contract.ts";
import { testBroker } from "../helpers/gateway.ts";

describe("a page of messages that is read in parts", () => {
  let broker: ServiceBroker;
  let stored: Message[];

  function append(): void {
    const seq = stored.length + 1;
    const rest = { sender_id: "u", kind: "text", content: {}, metadata: {}, inserted_at: "" };
    stored.push({ id: `m${seq}`, session_id: "s", seq, ...rest });
  }

  /** A leader whose messages are so large that an answer holds one; the next is appended after each answer. */
  const leader = {
    name: "raft.g000",
    actions: {
      messages({ params }: { params: ReadMessages }): MessagePage {
        const { after, before = 0 } = params;
        const wanted =
          after === undefined
            ? stored.filter(({ seq }) => before === 0 || seq < before)
            : stored.filter(({ seq }) => seq > after);
        const messages = after === undefined ? wanted.slice(-1) : wanted.slice(0, 1);
        const page = { messages, last_seq: stored.length, has_more: wanted.length > 1 };
        append();
        return page;
      },
    },
  };

  beforeEach(async () => {
    stored = [];
    for (let seq = 1; seq <= 4; seq++) append();
    ({ broker } = testBroker({ env: { FLEET_GROUPS: "1" } }));
    broker.createService(leader);
    broker.createService(messagesService);
    await broker.start();
  });
  afterEach(() => broker.stop());

  async function list(params: Omit<ListMessages, "session_id">) {
    const page = await broker.call<MessagePage, ListMessages>("sessions.messages.list", {
      session_id: "s",
      ...params,
    });
    return { ...page, messages: page.messages.map(({ seq }) => seq) };
  }

  it("ends with last_seq when it is a tail, whatever is appended meanwhile; has_more tells of earlier ones", async () => {
    assert.deepEqual(await list({ tail: 3 }), { messages: [2, 3, 4], last_seq: 4, has_more: true });
    assert.deepEqual(await list({ tail: 7 }), {
      messages: [1, 2, 3, 4, 5, 6, 7],
      last_seq: 7,
      has_more: false,
    });
  });

  it("takes in what is appended meanwhile when it is read from the front, and tells the last_seq of then", async () => {
    assert.deepEqual(await list({ after_seq: 0, limit: 6 }), {
      messages: [1, 2, 3, 4, 5, 6],
      last_seq: 9,
      has_more: true,
    });
  });
});
