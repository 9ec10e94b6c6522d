/** @module Leaders and followers over a real log: two that both believe to lead, lost leases, diverged copies. */
import assert from "node:assert/strict";
import { stateDigest } from "../../lib/conversation/digest.ts";
import { emptyState, type GroupState } from "../../lib/conversation/state.ts";
import { errorCode } from "../../lib/errors.ts";
import { LEASE_MS, OneLog } from "../helpers/one-log.ts";
import { until } from "../helpers/until.ts";

describe("over one log", () => {
  let one: OneLog;
  beforeEach(async () => {
    one = await OneLog.open();
  });
  afterEach(async () => {
    await one.close();
  });
  const candidate = (node: string, state: GroupState, options?: { leaseMs: number }) =>
    one.candidate(node, state, options);
  const recovered = () => one.recovered();

  const create = { t: "create", session: "s", user: "u", agent: "a", metadata: {} } as const;
  const append = (n: number, key?: string) =>
    ({
      t: "append",
      session: "s",
      role: "user",
      sender: "u",
      kind: "text",
      content: { n },
      metadata: {},
      ...(key !== undefined && { key }),
    }) as const;

  it("a leader that was replaced writes nothing more, and says that nothing was written", async () => {
    const old = await candidate("old", emptyState(0));
    assert.ok(await old.leader.lead());
    await old.leader.propose([create, append(1)]);

    const next = await candidate("new", await recovered());
    assert.ok(await next.leader.lead());
    const [refused] = await old.leader.propose([append(2)]);
    assert.deepEqual(refused, { kind: "refused", why: "not_leader", hint: null });
    assert.deepEqual(old.ends, ["fenced"]);

    const [done] = await next.leader.propose([append(3)]);
    assert.equal(done?.kind === "appended" && done.seq, 2);
    const state = await recovered();
    assert.equal(state.sessions.get("s")?.lastSeq, 2);
    assert.equal(stateDigest(state), stateDigest(next.leader.state));
    next.leader.abandon();
  });

  it("of two candidates for one epoch exactly one leads", async () => {
    for (let round = 0; round < 10; round++) {
      const [a, b] = [await candidate("a", await recovered()), await candidate("b", await recovered())];
      const led = await Promise.all([a.leader.lead(), b.leader.lead()]);
      assert.deepEqual(led.sort(), [false, true]);
      a.leader.abandon();
      b.leader.abandon();
    }
  });

  it("a leader that was replaced serves no read once its lease is over, and ends", async () => {
    const old = await candidate("old", emptyState(0));
    await old.leader.lead();
    await old.leader.propose([create, append(1)]);
    const next = await candidate("new", await recovered());
    await next.leader.lead();
    await next.leader.propose([append(2)]);
    await until("the lease of the old leader is over", () => old.leader.contactAge > LEASE_MS);
    await assert.rejects(old.leader.reader.messages("s", { after: 0 }, 10, 1e6), (error) => {
      return errorCode(error) === "leader_unavailable";
    });
    assert.deepEqual(old.ends, ["fenced"]);
    next.leader.abandon();
  });

  it("a leader that hears of another one serves no read before the log was asked, though its lease goes on", async () => {
    const old = await candidate("old", emptyState(0), { leaseMs: 60_000 });
    await old.leader.lead();
    await old.leader.propose([create]);
    await old.leader.verify();
    assert.deepEqual(old.ends, [], "a rumour alone ends nobody");
    const next = await candidate("new", await recovered());
    await next.leader.lead();
    await next.leader.propose([append(1)]);
    await old.leader.ensureLease();
    await assert.rejects(old.leader.verify(), (error) => errorCode(error) === "leader_unavailable");
    assert.deepEqual(old.ends, ["fenced"]);
    next.leader.abandon();
  });

  it("a leader that was replaced denies no session that its successor created", async () => {
    const old = await candidate("old", emptyState(0));
    await old.leader.lead();
    const next = await candidate("new", await recovered());
    await next.leader.lead();
    await next.leader.propose([create]);
    await until("the lease of the old leader is over", () => old.leader.contactAge > LEASE_MS);
    const [answer] = await old.leader.propose([append(1)]);
    assert.equal(answer?.kind, "refused");
    next.leader.abandon();
  });

  it("a leader that is alone renews its lease by asking the log, without writing", async () => {
    const { leader } = await candidate("one", emptyState(0));
    await leader.lead();
    await leader.propose([create, append(1)]);
    const { last } = await (await one.engine.open(0)).bounds();
    await until("its lease is over", () => leader.contactAge > LEASE_MS);
    const page = await leader.reader.messages("s", { after: 0 }, 10, 1e6);
    assert.equal(page?.messages.length, 1);
    assert.equal((await (await one.engine.open(0)).bounds()).last, last);
    leader.abandon();
  });

  it("a released group is claimed by the next leader in the next epoch", async () => {
    const first = await candidate("first", emptyState(0));
    await first.leader.lead();
    await first.leader.propose([create, append(1, "k")]);
    assert.equal(await first.leader.release(), "released");
    const second = await candidate("second", await recovered());
    assert.equal(second.leader.state.leader, null);
    await second.leader.lead();
    assert.equal(second.leader.state.epoch, 2);
    const [again] = await second.leader.propose([append(9, "k")]);
    assert.equal(again?.kind === "deduped" && again.message.content.n, 1);
    second.leader.abandon();
  });

  it("bodies that are no longer in RAM are read back from the log, in any page", async () => {
    const { leader } = await candidate("one", emptyState(0));
    await leader.lead();
    await leader.propose([create, { ...create, session: "other" }]);
    for (let n = 1; n <= 120; n++) {
      await leader.propose([append(n), { ...append(n), session: "other" }, append(-n)]);
    }
    const cold = await candidate("cold", await recovered());
    await cold.leader.lead();
    for (const limit of [1, 7, 64, 65, 1000]) {
      const seen: number[] = [];
      for (let after = 0; ; after = seen.length) {
        const page = await cold.leader.reader.messages("s", { after }, limit, 8e6);
        seen.push(...page!.messages.map(({ seq }) => seq));
        if (!page!.has_more) break;
      }
      assert.deepEqual(
        seen,
        Array.from({ length: 240 }, (_, i) => i + 1),
      );
    }
    const tail = await cold.leader.reader.messages("s", { before: 0 }, 3, 8e6);
    assert.deepEqual(
      tail?.messages.map(({ seq, content }) => [seq, content.n]),
      [
        [238, -119],
        [239, 120],
        [240, -120],
      ],
    );
    assert.equal(tail?.has_more, true);
    const short = await cold.leader.reader.messages("s", { after: 0 }, 1000, 2000);
    assert.ok(short!.messages.length > 0 && short!.messages.length < 240 && short!.has_more);
    cold.leader.abandon();
  });

  it("a follower whose state differs from the leader's notices it, and is rebuilt from the log", async () => {
    const { leader } = await candidate("one", emptyState(0));
    await leader.lead();
    await leader.propose([create, append(1)]);
    const state = await recovered();
    // A flipped bit, a bug, anything: this copy believes in one message more.
    state.sessions.get("s")!.lastSeq += 1;
    state.digest = [state.digest[0] ^ 1, state.digest[1]];
    const diverged: number[] = [];
    const follower = await one.follower(state, { diverged: (index) => diverged.push(index) });
    await leader.propose([append(2)]);
    await until("the copy is equal again", () => stateDigest(follower.state) === stateDigest(leader.state));
    assert.equal(diverged.length, 1);
    await leader.propose([append(3)]);
    await until("it goes on following", () => follower.state.applied === leader.state.applied);
    assert.equal(diverged.length, 1);
    await follower.stop();
    leader.abandon();
  });
});
