/** @module What the Node page makes of what it hears: steps of jobs and restarts, problems of hosts, targets, tables. */
import assert from "node:assert/strict";
import { ApiError, errorOfAnswer } from "../../public/data/api-error.ts";
import { bytesText } from "../../public/data/bytes.ts";
import { conditionOf } from "../../public/pages/node/agent-condition.ts";
import { databaseInfoOf, SCHEMA_SQL, schemaOf } from "../../public/pages/node/database-tables.ts";
import { hostsIn, hostsOfRow, problemsOf, refusedHosts } from "../../public/pages/node/host-problems.ts";
import {
  failureText,
  isJobOver,
  isUpdateOver,
  jobOf,
  jobSteps,
  type RestartView,
  restartSteps,
  type StepView,
  updateOf,
} from "../../public/pages/node/job-steps.ts";
import { readLogLine } from "../../public/pages/node/log-line.ts";
import { afterNews, afterStatus } from "../../public/pages/node/restart-view.ts";
import { familiesOf } from "../../public/pages/node/service-families.ts";
import { targetsOf } from "../../public/pages/node/targets.ts";
import type { AgentStatus, RestartPhase } from "../../services/corrosion/contract.ts";
import { judge } from "../../services/corrosion/query/blocked.ts";
import { AGENT, JOB, UPDATE } from "../helpers/console.ts";

const states = (steps: readonly StepView[]) => steps.map(({ state }) => state).join(" ");

describe("Steps on the Node page", () => {
  it("are those of a job, and all done when it is ready", () => {
    assert.equal(states(jobSteps({ state: "writing" }, "writing")), "done done current waiting waiting");
    assert.equal(states(jobSteps({ state: "ready" }, "ready")), "done done done done done");
  });

  it("blame the one at which a job failed, and none when nobody saw which that was", () => {
    assert.equal(states(jobSteps({ state: "error" }, "restarting")), "done done done failed waiting");
    assert.equal(states(jobSteps({ state: "error" }, null)), "waiting waiting waiting waiting waiting");
  });

  it("tell a job and an update from an answer that there was none", () => {
    assert.equal(jobOf({ job_id: null }), null);
    assert.equal(jobOf(null), null);
    assert.equal(jobOf(JOB), JOB);
    assert.equal(updateOf({ update_id: null }), null);
    assert.equal(updateOf(UPDATE), UPDATE);
  });

  it("are over when nothing more will happen", () => {
    assert.deepEqual(
      (["validating", "backing_up", "writing", "restarting", "ready", "error"] as const).filter((state) =>
        isJobOver({ state }),
      ),
      ["ready", "error"],
    );
    assert.deepEqual(
      (
        ["running", "succeeded", "rolling_back", "rolled_back", "rollback_failed", "interrupted"] as const
      ).filter((state) => !isUpdateOver({ state })),
      ["running", "rolling_back"],
    );
  });

  it("of a restart blame its phase, and are all done when the agent is ready", () => {
    assert.equal(
      states(restartSteps({ kind: "failed", id: "r", phase: "health", reason: "" })),
      "done done failed waiting",
    );
    assert.equal(states(restartSteps({ kind: "ready", id: "r" })), "done done done done");
    assert.equal(states(restartSteps({ kind: "none" })), "waiting waiting waiting waiting");
  });
});

describe("A restart as the page sees it", () => {
  const EARLIER = "2026-01-02T03:04:04.999999Z";
  const AT = "2026-01-02T03:04:05.000001Z";
  const LATER = "2026-01-02T03:04:09.000001Z";
  const NONE: RestartView = { kind: "none" };
  const news = (id: string) => ({ node_id: "n", restart_id: id, timestamp: AT });
  const look = (seen: RestartView, more: Partial<AgentStatus>) => afterStatus(seen, { ...AGENT, ...more });
  const restarting = (phase: RestartPhase): Partial<AgentStatus> => ({
    state: "restarting",
    restart_id: "r1",
    restart_phase: phase,
    since: AT,
  });

  it("follows the phases that the node tells, and its last word stands", () => {
    let seen = look(NONE, {});
    seen = afterNews(seen, { event: "corrosion.restarting", data: news("r1") });
    const phases = (["stopping", "starting", "health", "settling"] as const).map((phase) => {
      seen = look(seen, restarting(phase));
      return seen.kind === "running" ? seen.phase : seen.kind;
    });
    assert.deepEqual(phases, ["stopping", "starting", "health", "settling"]);
    // The word of its beginning may come after its first phases.
    assert.equal(afterNews(seen, { event: "corrosion.restarting", data: news("r1") }), seen);
    seen = afterNews(seen, { event: "corrosion.ready", data: news("r1") });
    assert.deepEqual(seen, { kind: "ready", id: "r1" });
    // A look that was under way when it ended must not begin it again.
    assert.equal(look(seen, restarting("settling")), seen);
    assert.equal(look(seen, { since: LATER }), seen);
  });

  it("keeps why it failed while the agent is down, and forgets it when somebody stops the agent", () => {
    const failed = afterNews(NONE, {
      event: "corrosion.restart_failed",
      data: { ...news("r1"), phase: "health", reason: "no answer" },
    });
    assert.deepEqual(failed, { kind: "failed", id: "r1", phase: "health", reason: "no answer" });
    assert.equal(look(failed, { state: "crashed", pid: null }), failed);
    assert.deepEqual(look(failed, { state: "stopped", pid: null }), NONE);
  });

  it("is over when the agent runs again, although its last word was missed", () => {
    const seen = look(NONE, restarting("starting"));
    assert.deepEqual(look(seen, { since: LATER }), { kind: "ready", id: "r1" });
    assert.deepEqual(look(seen, { since: LATER, state: "crashed", pid: null }), NONE);
  });

  it("is not over by a look that began before it did", () => {
    const seen = afterNews(NONE, { event: "corrosion.restarting", data: news("r1") });
    assert.equal(look(seen, { since: EARLIER }), seen);
    assert.deepEqual(look(seen, { since: LATER }), { kind: "ready", id: "r1" });
  });

  it("begins anew with another restart", () => {
    const first = afterNews(NONE, { event: "corrosion.ready", data: news("r0") });
    assert.deepEqual(look(first, restarting("stopping")), {
      kind: "running",
      id: "r1",
      phase: "stopping",
      since: AT,
    });
  });

  it("is told in a sentence of its phase", () => {
    const failed = { kind: "failed", id: "r", phase: "health", reason: "no answer." } as const;
    assert.equal(failureText(failed), "The restart failed while checking: no answer.");
  });
});

describe("Bootstrap hosts on the Node page", () => {
  it("are cut at commas, and what the node refuses of them is found again in the text", () => {
    const text = " a:1 ,, b ,[::1]:70000,";
    assert.deepEqual(hostsIn(text), ["a:1", "b", "[::1]:70000"]);
    assert.deepEqual(
      problemsOf(text, {}).map(([host]) => host),
      ["b", "[::1]:70000"],
    );
    const answer = { errors: { detail: "Bad Request" }, fields: { "a:1": '"a:1" is not known.' } };
    const refused = refusedHosts(errorOfAnswer(400, answer));
    const wrong = (written: string) => problemsOf(written, refused).map(([host]) => host);
    assert.deepEqual(wrong(text), ["a:1", "b", "[::1]:70000"]);
    assert.deepEqual(wrong("a:2, b:2, [::1]:70000"), ["[::1]:70000"]);
    assert.deepEqual(wrong("a:2, b:2"), []);
  });

  it("keep a problem of the whole list until it is sent again, and take none from other failures", () => {
    assert.equal(problemsOf("a:1", { hosts: "There are too many." }).length, 1);
    const busy = new ApiError("busy", { status: 409, code: "busy", fields: { x: "y" } });
    assert.deepEqual(refusedHosts(busy), {});
    assert.deepEqual(refusedHosts(new Error("gone")), {});
  });

  it("of a row of node_configs are its list, or its text where that is none", () => {
    assert.deepEqual(hostsOfRow('["a:1","b:2"]'), ["a:1", "b:2"]);
    assert.deepEqual(hostsOfRow("[]"), []);
    assert.deepEqual(hostsOfRow(""), []);
    assert.deepEqual(hostsOfRow("{broken"), ["{broken"]);
    assert.deepEqual(hostsOfRow('{"a":1}'), ['{"a":1}']);
  });
});

describe("The condition of an agent", () => {
  const condition = (more: Partial<AgentStatus>, restart: RestartView = { kind: "none" }) =>
    conditionOf({ ...AGENT, ...more }, restart);

  it("is a sentence in every state, in the colour of the state", () => {
    assert.deepEqual(condition({}), { title: "running", tone: "good", text: "It runs and answers." });
    assert.deepEqual(condition({ state: "crashed", reason: "no config." }), {
      title: "crashed",
      tone: "bad",
      text: "No config.",
    });
    assert.equal(condition({ state: "starting", reason: "it was killed." }).tone, "warn");
    assert.equal(condition({ state: "stopped" }).tone, "plain");
  });

  it("says of an agent that others run where it is controlled, and what is wrong with it", () => {
    const external = { state: "external", managed: false } as const;
    assert.equal(condition(external).tone, "info");
    assert.match(condition(external).text, /^It answers\. Somebody else runs this agent/);
    const silent = condition({ ...external, reason: "it does not answer." });
    assert.equal(silent.tone, "warn");
    assert.match(silent.text, /^It does not answer\. Somebody else/);
  });

  it("tells of a failed restart rather than of what came of it", () => {
    const failed = { kind: "failed", id: "r", phase: "health", reason: "no answer." } as const;
    assert.deepEqual(condition({ state: "unhealthy", reason: "late." }, failed), {
      title: "restart failed",
      tone: "bad",
      text: "The restart failed while checking: no answer.",
    });
  });
});

describe("What else the Node page shows", () => {
  it("puts services together that differ only in a number, when there are many of them", () => {
    const groups = Array.from({ length: 5 }, (_, i) => `raft.g00${i}.follower`);
    assert.deepEqual(familiesOf(["acks", ...groups, "raft.g007.leader", "raft.g008.leader"]), [
      { name: "acks", members: ["acks"] },
      { name: "raft.g….follower", members: groups },
      { name: "raft.g007.leader", members: ["raft.g007.leader"] },
      { name: "raft.g008.leader", members: ["raft.g008.leader"] },
    ]);
  });

  it("takes the time away from log lines that begin with one and a level, and leaves all others", () => {
    assert.deepEqual(readLogLine("2026-01-02T03:04:05.678Z  WARN gossip: x"), {
      level: "warn",
      text: "WARN gossip: x",
    });
    assert.deepEqual(readLogLine("2026-01-02T03:04:05.678901Z ERROR corro_agent: x").level, "error");
    for (const text of ["2026-01-02T03:04:05Z INFORMED", "hello", "", "<b>2026-01-02T03:04:05Z INFO"])
      assert.deepEqual(readLogLine(text), { level: null, text });
  });

  it("names the nodes that an update can have by number, and those that are away", () => {
    const node = (id: string, available = true) => ({
      id,
      available,
      draining: false,
      leads: 0,
      follows: 0,
      url: null,
      archive_problem: null,
    });
    const nodes = [node("dev-node10"), node("dev-node2"), node("dev-node3", false)];
    assert.deepEqual(targetsOf(nodes, ["dev-node2", "dev-node4"]), {
      present: ["dev-node2", "dev-node10"],
      away: ["dev-node3", "dev-node4"],
    });
    assert.deepEqual(targetsOf([], []), { present: [], away: [] });
  });

  it("tells tables with their rows from what the agent says of itself", () => {
    const rows = [
      ["agent", "program", "corrosion"],
      ["health", "p99_lag", null],
      ["health", "queue_size", 0],
      ["rows", "node_messages", 12],
    ] as const;
    assert.deepEqual(databaseInfoOf({ rows }), {
      facts: [
        ["agent program", "corrosion"],
        ["health queue size", "0"],
      ],
      tables: [{ name: "node_messages", rows: 12 }],
    });
  });

  it("asks for the schema in a way that the console takes", () => {
    assert.equal(judge(SCHEMA_SQL, "read").kind, "allowed");
    assert.deepEqual(schemaOf({ rows: [["table", "t", "t", "CREATE TABLE t (a)"]] }), [
      { type: "table", name: "t", table: "t", sql: "CREATE TABLE t (a)" },
    ]);
  });

  it("writes sizes with as many digits as mean something", () => {
    assert.deepEqual([0, 1023, 1024, 1536, 150 * 1024, 5 * 1024 ** 3].map(bytesText), [
      "0 B",
      "1023 B",
      "1.0 KiB",
      "1.5 KiB",
      "150 KiB",
      "5.0 GiB",
    ]);
  });
});
