/** @module A run's rules: what its owner does when, and what the others make of what they hear. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decide,
  IDLE,
  type Instant,
  MAX_SENDING,
  nextAt,
  type RunCommand,
  type RunInput,
  type RunState,
  type RunTiming,
  textOf,
} from "../../services/analytics/aggregator/run.ts";
import type { ExperimentControl, ExperimentRow } from "../../services/analytics/contract.ts";

const TIMING: RunTiming = {
  firstMessageMs: 500,
  tickMs: 10_000,
  silenceMs: 35_000,
  settleMs: 3000,
  firstCollectionMs: 1000,
  collectionMs: 10_000,
};

function row(given: Partial<ExperimentRow> = {}): ExperimentRow {
  return {
    id: "exp",
    status: "running",
    owner_node: "node1",
    transport: "gossip",
    message_count: 3,
    interval_ms: 1000,
    payload_bytes: 0,
    sent_count: 0,
    failed_count: 0,
    expected_nodes: ["node1", "node2"],
    run_count: 1,
    started_at: 1_000_000,
    ended_at: null,
    error: null,
    ...given,
  };
}

function control(type: ExperimentControl["type"], run: ExperimentRow): ExperimentControl {
  return { type, experiment_id: run.id, owner_node: run.owner_node, parameters: null, run };
}

type Timed = RunCommand & { readonly at: number };

/** A node in a world whose time moves only when it is told to. */
class Node {
  state: RunState = IDLE;
  now = 0;
  readonly commands: Timed[] = [];
  /** Outcomes to come, by when. */
  readonly #outcomes: { at: number; failure: string | null }[] = [];
  readonly #send: (index: number) => { afterMs: number; failure: string | null };

  constructor(send: (index: number) => { afterMs: number; failure: string | null } = succeed) {
    this.#send = send;
  }

  take(input: RunInput): void {
    const instant: Instant = { ms: this.now, us: 5_000_000 + this.now * 1000 };
    const { commands, state } = decide(this.state, input, instant, TIMING);
    this.state = state;
    for (const command of commands) {
      this.commands.push({ ...command, at: this.now });
      if (command.kind !== "send") continue;
      const { afterMs, failure } = this.#send(command.index);
      this.#outcomes.push({ at: this.now + afterMs, failure });
    }
  }

  hear(type: ExperimentControl["type"], run: ExperimentRow): void {
    this.take({ kind: "control", control: control(type, run) });
  }

  /** Lives up to the time, doing what is due in its order. */
  until(end: number): void {
    for (;;) {
      this.#outcomes.sort((a, b) => a.at - b.at);
      const outcome = this.#outcomes[0]?.at ?? Number.POSITIVE_INFINITY;
      const wake = nextAt(this.state) ?? Number.POSITIVE_INFINITY;
      const next = Math.min(outcome, wake);
      if (next > end) break;
      this.now = Math.max(this.now, next);
      if (outcome <= wake) this.take({ kind: "outcome", failure: this.#outcomes.shift()!.failure });
      else this.take({ kind: "time" });
    }
    this.now = end;
  }

  of<K extends RunCommand["kind"]>(kind: K): (Extract<RunCommand, { kind: K }> & { at: number })[] {
    return this.commands.filter((command): command is Extract<Timed, { kind: K }> => command.kind === kind);
  }

  told(type: ExperimentControl["type"]): number[] {
    return this.of("tell").flatMap((command) => (command.type === type ? [command.at] : []));
  }
}

const succeed = () => ({ afterMs: 10, failure: null });

describe("A run's owner", () => {
  it("sends the first message after 500 ms and one each interval, and ends 3 s after the last outcome", () => {
    const node = new Node();
    node.take({ kind: "lead", run: row() });
    node.until(60_000);
    assert.deepEqual(
      node.of("send").map(({ at, index }) => [at, index]),
      [
        [500, 1],
        [1500, 2],
        [2500, 3],
      ],
    );
    const ends = node.of("end");
    assert.deepEqual(
      ends.map(({ at, run }) => [at, run.status, run.sent_count, run.ended_at]),
      [[2510 + 3000, "completed", 3, 5_000_000 + 5_510_000]],
    );
    assert.deepEqual(node.told("stop"), [5510]);
    assert.equal(node.state, IDLE);
  });

  it("begins before it tells, tells at once, and again every ten seconds", () => {
    const node = new Node();
    node.take({ kind: "lead", run: row({ message_count: 0 }) });
    assert.deepEqual(
      node.commands.map(({ kind }) => kind),
      ["begin", "write", "tell"],
    );
    node.until(35_000);
    assert.deepEqual(node.told("start"), [0]);
    assert.deepEqual(node.told("tick"), [10_000, 20_000, 30_000]);
    assert.deepEqual(
      node.of("collect").map(({ at }) => at),
      [1000, 11_000, 21_000, 31_000],
    );
  });

  it("goes on without messages of its own until it is stopped", () => {
    const node = new Node();
    node.take({ kind: "lead", run: row({ message_count: 0 }) });
    node.until(3_600_000);
    assert.equal(node.state.kind, "leading");
    assert.equal(node.of("send").length, 0);
    node.take({ kind: "stop", status: "stopped", error: null });
    assert.deepEqual(
      node.of("end").map(({ run }) => run.status),
      ["stopped"],
    );
    assert.equal(nextAt(node.state), null);
  });

  it("sends each message once and in order, never sooner than asked, and its progress ends n of n", () => {
    const outcomes = fc.array(
      fc.record({ afterMs: fc.integer({ min: 0, max: 8000 }), failed: fc.boolean() }),
      { minLength: 1, maxLength: 200 },
    );
    fc.assert(
      fc.property(outcomes, fc.integer({ min: 50, max: 3000 }), (list, interval_ms) => {
        const node = new Node((index) => {
          const { afterMs, failed } = list[index - 1]!;
          return { afterMs, failure: failed ? "The agent is away." : null };
        });
        node.take({ kind: "lead", run: row({ message_count: list.length, interval_ms }) });
        node.until(10_000_000);
        const sends = node.of("send");
        assert.deepEqual(
          sends.map(({ index }) => index),
          list.map((_, i) => i + 1),
        );
        sends.forEach(({ at }, i) => {
          assert.ok(at >= 500 + i * interval_ms);
        });
        const failures = list.filter(({ failed }) => failed).length;
        const last = node.of("progress").at(-1)!.run;
        assert.deepEqual([last.sent_count, last.failed_count], [list.length - failures, failures]);
        assert.equal(last.status, failures === list.length ? "failed" : "completed");
        assert.equal(last.error, failures === 0 ? null : "The agent is away.");
        assert.equal(node.of("end").length, 1);
        for (const { run } of node.of("progress")) {
          assert.ok(run.sent_count + run.failed_count <= list.length);
        }
      }),
    );
  });

  it("has at most 64 messages without an outcome, and then goes on without a burst", () => {
    const node = new Node((index) => ({ afterMs: index <= MAX_SENDING ? 20_000 : 10, failure: null }));
    node.take({ kind: "lead", run: row({ message_count: 200, interval_ms: 50 }) });
    node.until(19_000);
    assert.equal(node.of("send").length, MAX_SENDING);
    node.until(60_000);
    const later = node.of("send").slice(MAX_SENDING);
    assert.equal(later.length, 200 - MAX_SENDING);
    later.slice(1).forEach(({ at }, i) => {
      assert.ok(at - later[i]!.at >= 50);
    });
  });

  it("counts the outcome of a message of a run that was stopped for nothing", () => {
    const node = new Node(() => ({ afterMs: 5000, failure: null }));
    node.take({ kind: "lead", run: row() });
    node.until(1000);
    node.take({ kind: "stop", status: "stopped", error: null });
    const before = node.commands.length;
    node.until(20_000);
    assert.equal(node.commands.length, before);
  });

  it("ends when another node says so of this very run, and not of an earlier one", () => {
    const node = new Node();
    node.take({ kind: "lead", run: row({ run_count: 2 }) });
    node.hear("stop", row({ run_count: 1, status: "interrupted" }));
    assert.equal(node.state.kind, "leading");
    node.hear("stop", row({ run_count: 2, status: "interrupted" }));
    assert.equal(node.state, IDLE);
    assert.equal(node.of("end")[0]?.run.status, "interrupted");
  });

  it("gives way to a run that began earlier where the nodes did not see each other, so that one is left", () => {
    fc.assert(
      fc.property(fc.nat(3), fc.nat(3), (a, b) => {
        const runs = [
          row({ id: "a", owner_node: "node1", started_at: a }),
          row({ id: "b", owner_node: "node2", started_at: b }),
        ] as const;
        const nodes = [new Node(), new Node()] as const;
        for (const i of [0, 1] as const) nodes[i].take({ kind: "lead", run: runs[i] });
        for (const i of [0, 1] as const) nodes[i].hear("tick", runs[i === 0 ? 1 : 0]);
        const leading = nodes.filter(({ state }) => state.kind === "leading");
        assert.equal(leading.length, 1);
        assert.equal(leading[0], nodes[a <= b ? 0 : 1]);
      }),
    );
  });
});

describe("A node in another's run", () => {
  it("begins once, whatever it hears first, and ends with the owner's stop", () => {
    for (const first of ["start", "tick"] as const) {
      const node = new Node();
      node.hear(first, row());
      node.hear("tick", row({ sent_count: 1 }));
      assert.equal(node.of("begin").length, 1);
      node.hear("stop", row({ status: "completed", sent_count: 3, ended_at: 9 }));
      assert.equal(node.state, IDLE);
      assert.deepEqual(node.of("write").at(-1)?.run, node.of("end")[0]?.run);
      assert.deepEqual(
        node.of("end").map(({ run }) => [run.status, run.sent_count]),
        [["completed", 3]],
      );
      assert.equal(node.of("tell").length, 0);
    }
  });

  it("ends as interrupted after 35 s without a tick, and not before", () => {
    const node = new Node();
    node.hear("start", row());
    node.until(10_000);
    node.hear("tick", row());
    node.until(44_999);
    assert.equal(node.state.kind, "following");
    node.until(45_000);
    assert.equal(node.state, IDLE);
    const [end] = node.of("end");
    assert.equal(end?.run.status, "interrupted");
    assert.match(end?.run.error ?? "", /node1/);
    // It was only slow: its word counts again.
    node.hear("tick", row());
    assert.equal(node.state.kind, "following");
  });

  it("stays with its run when it hears of another one that goes on elsewhere", () => {
    const node = new Node();
    const own = row();
    node.hear("start", own);
    node.until(20_000);
    node.hear("tick", row({ id: "other", owner_node: "node9" }));
    node.until(35_000);
    assert.equal(node.state, IDLE, "the tick of another run is no sign of life of this one");
    assert.equal(node.of("begin").length, 1);
  });

  it("goes over to a run that starts, for it let that start", () => {
    const node = new Node();
    node.hear("start", row());
    node.hear("start", row({ id: "next", owner_node: "node3" }));
    assert.deepEqual(
      [...node.of("begin"), ...node.of("end")].map(({ kind, run }) => [kind, run.id]),
      [
        ["begin", "exp"],
        ["begin", "next"],
        ["end", "exp"],
      ],
    );
    // The owner's own word on the first one comes late, and is kept.
    node.hear("stop", row({ status: "stopped" }));
    assert.equal(node.state.kind, "following");
    assert.equal(node.of("write").at(-1)?.run.status, "stopped");
  });

  it("leaves an experiment that was opened again alone when it hears that its first run ended", () => {
    const node = new Node();
    const again = row({ run_count: 2, started_at: 2_000_000 });
    node.hear("start", again);
    const before = node.commands.length;
    node.hear("stop", row({ status: "stopped" }));
    assert.equal(node.commands.length, before);
    assert.equal(node.state.kind, "following");
  });

  it("begins and ends in turns, whatever it hears and however long nothing", () => {
    const word = fc.record({
      type: fc.constantFrom("start" as const, "tick" as const, "stop" as const),
      id: fc.constantFrom("a", "b"),
      run_count: fc.integer({ min: 1, max: 2 }),
      waitMs: fc.integer({ min: 0, max: 40_000 }),
    });
    fc.assert(
      fc.property(fc.array(word, { maxLength: 40 }), (words) => {
        const node = new Node();
        for (const { id, run_count, type, waitMs } of words) {
          node.hear(type, row({ id, run_count, owner_node: `owner-${id}` }));
          node.until(node.now + waitMs);
        }
        node.until(node.now + 35_000);
        const parts = node.commands.filter(({ kind }) => kind === "begin" || kind === "end");
        parts.forEach(({ kind, run }, i) => {
          assert.equal(kind, i % 2 === 0 ? "begin" : "end");
          if (kind === "end") assert.equal(run.id, parts[i - 1]?.run.id);
        });
        assert.equal(parts.length % 2, 0);
      }),
    );
  });
});

describe("The text of a run's message", () => {
  it("says which of how many it is, and has the wanted length where that is longer", () => {
    assert.equal(textOf(row({ id: "x" }), 2), "Experiment x message 2/3");
    const long = textOf(row({ payload_bytes: 100 }), 2);
    assert.equal(Buffer.byteLength(long), 100);
    assert.ok(long.startsWith("Experiment exp message 2/3 "));
    assert.equal(textOf(row({ payload_bytes: 5 }), 2), "Experiment exp message 2/3");
  });
});
