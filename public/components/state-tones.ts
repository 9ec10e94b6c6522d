/** @module Tones of states that more than one page shows. */
import type { ExperimentStatus } from "../../services/analytics/contract.ts";
import type { AgentStatus } from "../../services/corrosion/contract.ts";
import type { Tone } from "./tone.ts";

export const AGENT_TONES: Readonly<Record<AgentStatus["state"], Tone>> = {
  running: "good",
  external: "good",
  starting: "warn",
  restarting: "warn",
  stopping: "warn",
  unhealthy: "warn",
  stopped: "plain",
  crashed: "bad",
};

export const EXPERIMENT_TONES: Readonly<Record<ExperimentStatus, Tone>> = {
  running: "info",
  finalizing: "info",
  completed: "good",
  stopped: "plain",
  failed: "bad",
  interrupted: "warn",
};
