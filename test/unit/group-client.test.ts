/** @module Calls to a group's leader: what is sent again, what never is, and what callers are told. */
import assert from "node:assert/strict";
import { ServiceBroker } from "moleculer";
import { errorCode } from "../../lib/errors.ts";
import { GroupClient } from "../../services/conversations/group-client.ts";
import type { Propose, ProposeResult } from "../../services/raft/contract.ts";

const TIMEOUT_MS = 300;

describe("the client of the groups", () => {
  let broker: ServiceBroker;
  let client: GroupClient;
  /** Sizes of the batches that the leader got. */
  let calls: number[];

  /** A leader of group 0 that answers what the test says, call by call; the last answer goes on. */
  async function leader(...answers: (ProposeResult | Error)[]): Promise<void> {
    broker = new ServiceBroker({ logger: false, nodeID: "test", skipProcessEventRegistration: true });
    calls = [];
    broker.createService({
      name: "raft.g000",
      actions: {
        propose(ctx: { params: Propose }) {
          calls.push(ctx.params.commands.length);
          const answer = answers[Math.min(calls.length, answers.length) - 1]!;
          if (answer instanceof Error) throw answer;
          return { results: ctx.params.commands.map(() => answer) };
        },
      },
    });
    await broker.start();
    client = new GroupClient(broker, { groups: 1, timeoutMs: TIMEOUT_MS, admission: { open: true } });
  }
  afterEach(async () => {
    client.close();
    await broker.stop();
  });

  const draft = { t: "archive", session: "s" } as const;
  const done: ProposeResult = { kind: "rejected", code: "session_not_found", last_seq: 0 };
  const refused: ProposeResult = { kind: "refused", why: "not_leader", hint: null };
  const maybe: ProposeResult = { kind: "maybe" };
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => null,
      (error: unknown) => errorCode(error),
    );

  it("shares one call among what one turn of the event loop proposes", async () => {
    await leader(done);
    const results = await Promise.all(Array.from({ length: 5 }, () => client.propose(draft, false)));
    assert.deepEqual(results, Array(5).fill(done));
    assert.deepEqual(calls, [5]);
  });

  it("proposes again what was certainly not written, keyed or not", async () => {
    await leader(refused, refused, done);
    assert.deepEqual(await client.propose(draft, false), done);
    assert.equal(calls.length, 3);
  });

  it("never proposes a keyless command again that may have been written", async () => {
    await leader(maybe, done);
    assert.equal(await codeOf(client.propose(draft, false)), "append_timeout");
    assert.equal(calls.length, 1);
  });

  it("never proposes a keyless command again when the call broke off", async () => {
    await leader(new Error("the connection is gone"), done);
    assert.equal(await codeOf(client.propose(draft, false)), "append_timeout");
    assert.equal(calls.length, 1);
  });

  it("proposes a repeatable command until its outcome is known", async () => {
    await leader(maybe, new Error("the connection is gone"), refused, done);
    assert.deepEqual(await client.propose(draft, true), done);
    assert.equal(calls.length, 4);
  });

  it("says leader_unavailable when the time is over and nothing was written", async () => {
    await leader(refused);
    assert.equal(await codeOf(client.propose(draft, false)), "leader_unavailable");
    assert.ok(calls.length > 2);
  });

  it("says append_timeout when any try may have been written, whatever the later ones said", async () => {
    await leader(maybe, refused);
    assert.equal(await codeOf(client.propose(draft, true)), "append_timeout");
  });

  it("proposes again at once, each in a call of its own, what would hold up the others of its call", async () => {
    await leader({ kind: "refused", why: "alone", hint: null }, done);
    const results = await Promise.all(Array.from({ length: 3 }, () => client.propose(draft, false)));
    assert.deepEqual(results, Array(3).fill(done));
    assert.deepEqual(calls, [3, 1, 1, 1]);
  });

  it("passes backpressure and what does not fit on at once", async () => {
    await leader({ kind: "refused", why: "backpressure", hint: null });
    assert.equal(await codeOf(client.propose(draft, true)), "backpressure");
    assert.equal(calls.length, 1);
    client.close();
    await broker.stop();
    await leader({ kind: "refused", why: "too_large", hint: null });
    assert.equal(await codeOf(client.propose(draft, true)), "content_too_large");
  });

  it("waits for a leader that the registry does not show yet, and says so when none comes", async () => {
    await leader(done);
    await broker.destroyService("raft.g000");
    const began = performance.now();
    assert.equal(await codeOf(client.propose(draft, false)), "leader_unavailable");
    assert.equal(await codeOf(client.ask(0, "session", {})), "leader_unavailable");
    assert.ok(performance.now() - began < 4 * TIMEOUT_MS);
  });
});
