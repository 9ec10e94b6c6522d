/** @module Copies of groups on their way: a node gives as many as it keeps, and takes a few at a time. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { ServiceBroker } from "moleculer";
import { applyEntry } from "../../lib/conversation/apply.ts";
import type { Command } from "../../lib/conversation/commands.ts";
import { stateDigest } from "../../lib/conversation/digest.ts";
import { emptyState, type GroupState } from "../../lib/conversation/state.ts";
import type { CopyPart, GetCopy } from "../../services/raft/contract.ts";
import { Copies, CopyFetcher, FETCHES } from "../../services/raft/copies.ts";

/** Groups that a node with 32 changes at a time begins to recover together. */
const GROUPS = 32;
const DONOR = "n1";

/** A state whose copy takes several parts, however well it is packed. */
function largeState(group: number): GroupState {
  const state = emptyState(group);
  const metadata = { noise: randomBytes(900_000).toString("base64") };
  const create: Command = { t: "create", v: 1, session: `s${group}`, user: "u", agent: "a", metadata, at: 2 };
  applyEntry(state, { index: 1, epoch: 1 }, [{ t: "claim", v: 1, epoch: 1, node: DONOR, at: 1 }]);
  applyEntry(state, { index: 2, epoch: 1 }, [create]);
  return state;
}

describe("copies of groups", () => {
  let states: readonly GroupState[];
  let broker: ServiceBroker;
  /** Groups whose copies were begun and have not come to their end. */
  let open: Set<number>;
  let mostOpen: number;
  let busyAnswers: number;
  const donors = () => [DONOR];

  before(() => {
    states = Array.from({ length: GROUPS }, (_, group) => largeState(group));
  });
  beforeEach(async () => {
    [open, mostOpen, busyAnswers] = [new Set(), 0, 0];
    const copies = new Copies();
    broker = new ServiceBroker({ nodeID: DONOR, logger: false, skipProcessEventRegistration: true });
    broker.createService({
      name: "raft.topology",
      actions: {
        copy(ctx: { params: GetCopy }): CopyPart {
          const { group, token, offset } = ctx.params;
          const part = copies.part(states[group]!, token, offset);
          if (part === "busy") busyAnswers += 1;
          else if (part && offset + Buffer.from(part.base64, "base64").length < part.total) open.add(group);
          else open.delete(group);
          mostOpen = Math.max(mostOpen, open.size);
          return part;
        },
      },
    });
    await broker.start();
  });
  afterEach(() => broker.stop());

  const check = (copy: GroupState | null, group: number) => {
    assert.ok(copy, `the copy of group ${group} has come`);
    assert.equal(stateDigest(copy), stateDigest(states[group]!));
  };

  it("are fetched a few at a time by one node, and all of them come", async () => {
    const fetcher = new CopyFetcher(broker);
    const fetched = await Promise.all(states.map(({ group }) => fetcher.fetch(group, donors)));
    fetched.forEach(check);
    assert.equal(mostOpen, FETCHES);
    assert.equal(busyAnswers, 0);
  });

  it("come to many nodes that fetch from one together: none is dropped while it is on its way", async () => {
    const fetched = await Promise.all(
      states.map(({ group }) => new CopyFetcher(broker).fetch(group, donors)),
    );
    fetched.forEach(check);
    assert.ok(busyAnswers > 0);
  });

  it("are waited for no longer once the node stops", async () => {
    const begun = states
      .slice(0, 8)
      .map(({ group }) => broker.call<CopyPart, GetCopy>("raft.topology.copy", { group, offset: 0 }));
    for (const part of await Promise.all(begun)) assert.ok(part && part !== "busy");
    const fetcher = new CopyFetcher(broker);
    const fetches = states.map(({ group }) => fetcher.fetch(group, donors));
    fetcher.stop();
    assert.ok((await Promise.all(fetches)).every((copy) => copy === null));
  });
});
