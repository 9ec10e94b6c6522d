/** @module How Overview speaks of this node's agent and of those that it knows. */
import assert from "node:assert/strict";
import { agentsInWords, agentWarning, isSettling } from "../../public/pages/overview/agent.ts";
import type { AgentStatus, Member } from "../../services/corrosion/contract.ts";
import { AGENT } from "../helpers/console.ts";

const agent = (state: AgentStatus["state"], reason: string | null = null) => ({ ...AGENT, state, reason });
const tone = (state: AgentStatus["state"], reason?: string) =>
  agentWarning(agent(state, reason))?.tone ?? null;
const member = (state: Member["state"]) => ({ state, status: "active" }) as Member;
const members = (states: readonly Member["state"][], error: string | null = null) => ({
  data: { members: states.map(member), regions: [], member_count: states.length },
  status: "ok" as const,
  last_updated: null,
  error,
});

describe("Overview's words of agents", () => {
  it("warn of an own agent that does not serve, with its reason, and of none that is on its way", () => {
    for (const state of ["running", "external", "starting", "restarting", "stopping"] as const)
      assert.equal(tone(state), null, state);
    assert.deepEqual([tone("crashed"), tone("unhealthy"), tone("stopped")], ["bad", "bad", "warn"]);
    assert.equal(tone("external", "it refuses the token"), "bad");
    assert.match(
      agentWarning(agent("crashed", "the disk is full"))?.text ?? "",
      /crashed\. The disk is full\.$/,
    );
    assert.equal(agentWarning(null)?.tone, "warn");
  });

  it("know which states pass by themselves", () => {
    assert.deepEqual(
      [
        isSettling({ agent: agent("starting") }),
        isSettling({ agent: agent("crashed") }),
        isSettling({ agent: null }),
      ],
      [true, false, false],
    );
  });

  it("count those that are well, and call nothing well that is only remembered", () => {
    const words = (states: readonly Member["state"][], error: string | null = null, settling = false) => {
      const { value, tone } = agentsInWords(members(states, error), settling);
      return [value, tone];
    };
    assert.deepEqual(words(["Alive", "Alive"]), ["2 / 2", "plain"]);
    assert.deepEqual(words(["Alive", "Suspect"]), ["1 / 2", "warn"]);
    assert.deepEqual(words(["Alive", "Down", "Suspect"]), ["1 / 3", "bad"]);
    assert.deepEqual(words([]), ["0 / 0", "plain"]);
    assert.deepEqual(words(["Alive", "Alive"], "no agent answers"), ["? / 2", "warn"]);
    assert.deepEqual(words(["Alive", "Alive"], "no agent answers", true), ["? / 2", "plain"]);
  });
});
