/** @module How this node's own agent is, and what may be said of the agents that it knows. */
import type { NodeFacts } from "../../../services/corrosion/contract.ts";
import { sentenceOf } from "../../data/api-error.ts";
import type { MembersAnswer } from "../../data/sourced.ts";
import type { Warning } from "../../fleet/warnings.ts";
import { memberState } from "./members.ts";

/** Whether the agent is on its way up or down: it will tell its members soon, or a warning says why not. */
export function isSettling({ agent }: Pick<NodeFacts, "agent">): boolean {
  return agent !== null && ["starting", "restarting", "stopping"].includes(agent.state);
}

/** What is wrong with this node's own agent; null: nothing, or it is on its way. */
export function agentWarning(agent: NodeFacts["agent"]): Warning | null {
  if (agent === null) return { tone: "warn", text: "This node could not ask how its Corrosion agent is." };
  const { reason, state } = agent;
  const why = reason === null ? "" : ` ${sentenceOf(reason)}`;
  switch (state) {
    case "crashed":
      return { tone: "bad", text: `This node's Corrosion agent has crashed.${why}` };
    case "unhealthy":
      return { tone: "bad", text: `This node's Corrosion agent does not answer.${why}` };
    case "stopped":
      return { tone: "warn", text: "This node's Corrosion agent is stopped: start it on the page Node." };
    case "external":
      return reason === null
        ? null
        : { tone: "bad", text: `This node cannot use its Corrosion agent.${why}` };
    default:
      return null;
  }
}

export interface AgentsInWords {
  readonly value: string;
  readonly tone: "plain" | "warn" | "bad";
  readonly text: string;
}

/** How many agents are well. What they were when the own one answered last is not what they are. */
export function agentsInWords({ data: { members }, error }: MembersAnswer, settling: boolean): AgentsInWords {
  const count = members.length;
  if (error !== null) {
    const text = "the agent does not tell them now";
    return { value: `? / ${count}`, tone: settling ? "plain" : "warn", text };
  }
  const states = members.map(memberState);
  const well = states.filter((state) => state === "active" || state === "connected").length;
  const value = `${well} / ${count}`;
  if (count === 0) return { value, tone: "plain", text: "no member is known" };
  if (well === count) return { value, tone: "plain", text: "all members are active" };
  return states.includes("Down")
    ? { value, tone: "bad", text: "some are down" }
    : { value, tone: "warn", text: "not all are active" };
}
