/** @module One group's replica over a real log: what it still begins when it is stopped. */
import assert from "node:assert/strict";
import { ServiceBroker } from "moleculer";
import pLimit from "p-limit";
import { Registry } from "prom-client";
import { readConfig } from "../../lib/config.ts";
import { openEmitterFanout } from "../../lib/fanout/emitter.ts";
import { attachRuntime } from "../../lib/runtime.ts";
import type { GroupLog } from "../../services/raft/engine/engine.ts";
import { Unavailable } from "../../services/raft/engine/errors.ts";
import { HotMessages } from "../../services/raft/hot-messages.ts";
import { Replica } from "../../services/raft/replica.ts";
import { OneLog } from "../helpers/one-log.ts";
import { quietLogger, quietMetrics } from "../helpers/quiet.ts";
import { until } from "../helpers/until.ts";

const STOP_LIMIT_MS = 5000;

/** What a replica waits for before it claims its group. */
type Question = "where the log ends" | "what the archive holds";

describe("A replica", () => {
  let one: OneLog;
  let broker: ServiceBroker;
  /** The question that gets no answer before `answer` is called. */
  let held: Question | null;
  let asked: boolean;
  let answer: () => void;
  let logIsAway: boolean;
  let claims: number;

  beforeEach(async () => {
    [held, asked, logIsAway, claims] = [null, false, false, 0];
    one = await OneLog.open();
    broker = new ServiceBroker({ nodeID: "n1", logger: false, skipProcessEventRegistration: true });
    attachRuntime(broker, {
      config: readConfig({ DATABASE_URL: one.archive.url }),
      fanout: openEmitterFanout(one.folder, (error) => assert.fail(String(error))),
      metrics: new Registry(),
      admission: { open: true },
      retire: () => assert.fail("nobody drains"),
      halt: assert.fail,
    });
    await broker.start();
  });
  afterEach(async () => {
    await broker.stop();
    await one.close();
  });

  /** The replica of group 0; its log and its archive are real, but may be slow to answer or away. */
  async function replica(): Promise<Replica> {
    const gate = Promise.withResolvers<void>();
    answer = gate.resolve;
    const pass = async (question: Question) => {
      if (question !== held) return;
      asked = true;
      await gate.promise;
    };
    const log = await one.engine.open(0);
    const slow: GroupLog = {
      group: log.group,
      bounds: async () => {
        await pass("where the log ends");
        return log.bounds();
      },
      append: async (entry, expectedLast, messageId) => {
        claims += 1;
        if (logIsAway) throw new Unavailable("the log is away");
        return log.append(entry, expectedLast, messageId);
      },
      read: (from, to) => log.read(from, to),
      follow: (from, signal) => log.follow(from, signal),
      truncate: (before) => log.truncate(before),
      health: () => log.health(),
    };
    return new Replica(slow, {
      broker,
      logger: quietLogger,
      hot: new HotMessages(1_000_000),
      metrics: quietMetrics,
      archive: {
        ...one.archive.port,
        watermark: async (group) => {
          await pass("what the archive holds");
          return one.archive.port.watermark(group);
        },
      },
      archiverLimit: pLimit(1),
      slots: { run: (task) => task() },
      fetchCopy: async () => null,
      otherLeader: () => null,
      announce: () => undefined,
      changed: () => undefined,
    });
  }

  for (const question of ["where the log ends", "what the archive holds"] as const) {
    it(`that is stopped while it asks ${question} claims nothing: its stop ends though the log is away`, async () => {
      const stopped = await replica();
      assert.ok(await stopped.follow());
      held = question;
      const promoted = stopped.promote();
      await until("it asks", () => asked);
      let over = false;
      const stop = stopped.stop().then(() => {
        over = true;
      });
      logIsAway = true;
      answer();
      try {
        await until("it has stopped", () => over, STOP_LIMIT_MS);
        assert.equal(await promoted, false);
        assert.equal(claims, 0);
        assert.equal(stopped.held, "none");
      } finally {
        // A claim that waits for the log ends with it.
        logIsAway = false;
        await stop;
      }
    });
  }

  it("that was stopped begins no copy any more", async () => {
    const stopped = await replica();
    await stopped.stop();
    assert.equal(await stopped.follow(), false);
    assert.equal(stopped.held, "none");
  });
});
