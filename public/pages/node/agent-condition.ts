/** @module How the agent is, in one sentence that is always there. */
import type { AgentStatus } from "../../../services/corrosion/contract.ts";
import { AGENT_TONES } from "../../components/state-tones.ts";
import type { Tone } from "../../components/tone.ts";
import { sentenceOf } from "../../data/api-error.ts";
import { failureText, type RestartView } from "./job-steps.ts";

export interface AgentCondition {
  readonly title: string;
  readonly tone: Tone;
  readonly text: string;
}

export const NOT_MANAGED = "Somebody else runs this agent: start and stop it where it runs.";

const SENTENCES: Readonly<Record<AgentStatus["state"], string>> = {
  running: "It runs and answers.",
  external: "It answers.",
  starting: "It is being started, and does not answer yet.",
  restarting: "It restarts. What this node misses meanwhile it gets from the others.",
  stopping: "It is being stopped.",
  unhealthy: "It does not answer.",
  stopped: "It is stopped: this node sends and takes no messages until it is started again.",
  crashed: "It ended again and again, and is not started any more by itself.",
};

/** Why the newest restart failed stands until another one, or a stop. */
export function conditionOf({ managed, reason, state }: AgentStatus, restart: RestartView): AgentCondition {
  if (restart.kind === "failed")
    return { title: "restart failed", tone: "bad", text: sentenceOf(failureText(restart)) };
  const text = reason === null ? SENTENCES[state] : sentenceOf(reason);
  if (!managed)
    return { title: state, tone: reason === null ? "info" : "warn", text: `${text} ${NOT_MANAGED}` };
  return { title: state, tone: AGENT_TONES[state], text };
}
