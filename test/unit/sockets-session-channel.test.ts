/** @module Tests: what a session channel does with the outcome of a read that comes when it is closed. */
import assert from "node:assert/strict";
import { mock } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Registry } from "prom-client";
import { FleetError } from "../../lib/errors.ts";
import { openEmitterFanout } from "../../lib/fanout/emitter.ts";
import type { MessagePage, Session } from "../../services/conversations/contract.ts";
import { Admission } from "../../services/gateway/sockets/admission.ts";
import type { Conversations } from "../../services/gateway/sockets/bus.ts";
import { Feeds } from "../../services/gateway/sockets/feeds.ts";
import { socketMetrics } from "../../services/gateway/sockets/metrics.ts";
import { SessionChannel } from "../../services/gateway/sockets/session-channel.ts";
import { until } from "../helpers/until.ts";

const SESSION: Session = {
  id: "s",
  user_id: "u",
  agent_id: "a",
  status: "active",
  metadata: {},
  inserted_at: "",
  updated_at: "",
  last_seq: 0,
  dispatch: { state: "idle", epoch: 0, last_sent_seq: 0, last_failure: null },
};

const oneAtATime = () => new Admission({ capacity: 1, maxLoad: 0, load: () => 0 });

const fail = (error: unknown) => assert.fail(String(error));

describe("a session channel", () => {
  let feeds: Feeds;
  afterEach(() => {
    mock.restoreAll();
    feeds.stop();
  });

  it("that was closed during a read sets no timer when the read fails", async () => {
    const page = Promise.withResolvers<MessagePage>();
    const unused = () => assert.fail("not called by this channel");
    let reads = 0;
    const conversations: Conversations = {
      session: async () => SESSION,
      messages: () => {
        reads++;
        return page.promise;
      },
      append: unused,
      heads: unused,
    };
    feeds = new Feeds({
      fanout: openEmitterFanout("session-channel", fail),
      conversations,
      groups: 1,
      catchupIntervalMs: 1_000_000,
      onError: assert.fail,
    });
    const reported: string[] = [];
    const logger = { debug: (message: string) => reported.push(message), error: assert.fail };
    const join = { joinRef: "1", ref: "1", topic: "session:s", event: "phx_join", payload: {}, bytes: 50 };
    const socket = {
      principal: { user_id: "u" },
      joins: oneAtATime(),
      reads: oneAtATime(),
      pageBytes: 1000,
      write: () => {},
      answering: unused,
    };
    const metrics = socketMetrics(new Registry());
    const channel = new SessionChannel("s", join, socket, { conversations, feeds, metrics, logger });
    assert.equal(await channel.join(join), null);
    channel.head(1);
    await until("the read", () => reads === 1);

    channel.close();
    const timers = mock.method(globalThis, "setTimeout");
    page.reject(new FleetError("leader_unavailable", "no leader"));
    await until("the failure is told", () => reported.length === 1);
    await turn();
    assert.equal(timers.mock.callCount(), 0);
  });
});
