/** @module A change of the configuration, or a restart, as steps that a person can follow. */
import type {
  ClusterUpdate,
  ConfigJob,
  JobState,
  RestartPhase,
  UpdateNodeState,
  UpdateState,
} from "../../../services/corrosion/contract.ts";
import type { Tone } from "../../components/tone.ts";

export interface StepView {
  readonly name: string;
  readonly state: "done" | "current" | "failed" | "waiting";
}

/** `GET /api/config/job`: without an id there was none since the node started. */
export type JobAnswer = ConfigJob | { readonly job_id: null };
/** `GET /api/config/cluster`, likewise. */
export type UpdateAnswer = ClusterUpdate | { readonly update_id: null };

export const JOB_TITLES: Readonly<Record<ConfigJob["kind"], string>> = {
  bootstrap: "Update of the bootstrap hosts",
  rollback: "Rollback to a backup",
  restore_canonical: "Restore of the canonical configuration",
};

const JOB_STEPS = [
  ["validating", "Validating"],
  ["backing_up", "Backing up"],
  ["writing", "Writing"],
  ["restarting", "Restarting"],
  ["ready", "Ready"],
] as const satisfies readonly (readonly [JobState, string])[];

/** The job; null: there was none. */
export function jobOf(answer: JobAnswer | null): ConfigJob | null {
  return answer === null || answer.job_id === null ? null : answer;
}

export function updateOf(answer: UpdateAnswer | null): ClusterUpdate | null {
  return answer === null || answer.update_id === null ? null : answer;
}

export function isJobOver({ state }: Pick<ConfigJob, "state">): boolean {
  return state === "ready" || state === "error";
}

export function isUpdateOver({ state }: Pick<ClusterUpdate, "state">): boolean {
  return state !== "running" && state !== "rolling_back";
}

/** Null: there was no job. `reached`: the last state that was seen before an error; null: not known, and then no step is blamed. */
export function jobSteps(
  job: Pick<ConfigJob, "state"> | null,
  reached: JobState | null,
): readonly StepView[] {
  if (job === null) return JOB_STEPS.map(([, name]) => ({ name, state: "waiting" }));
  const { state } = job;
  const at = JOB_STEPS.findIndex(([name]) => name === (state === "error" ? reached : state));
  return JOB_STEPS.map(([, name], i) => ({ name, state: stepState(i, at, state) }));
}

function stepState(i: number, at: number, state: JobState): StepView["state"] {
  if (i < at || state === "ready") return "done";
  if (i > at) return "waiting";
  return state === "error" ? "failed" : "current";
}

/** What a restart of the agent has come to, as far as this page saw it. */
export type RestartView =
  | { readonly kind: "none" }
  | { readonly kind: "running"; readonly id: string; readonly phase: RestartPhase; readonly since: string }
  | { readonly kind: "ready"; readonly id: string }
  | { readonly kind: "failed"; readonly id: string; readonly phase: RestartPhase; readonly reason: string };

const RESTART_STEPS = [
  ["stopping", "Stopping"],
  ["starting", "Starting"],
  ["health", "Checking"],
  ["settling", "Settling"],
] as const satisfies readonly (readonly [RestartPhase, string])[];

/** All wait when there is no restart to tell of. */
export function restartSteps(restart: RestartView): readonly StepView[] {
  const at = placeOf(restart);
  const here = restart.kind === "failed" ? "failed" : "current";
  return RESTART_STEPS.map(([, name], i) => ({ name, state: i < at ? "done" : i > at ? "waiting" : here }));
}

function placeOf(restart: RestartView): number {
  if (restart.kind === "none") return -1;
  if (restart.kind === "ready") return RESTART_STEPS.length;
  return RESTART_STEPS.findIndex(([phase]) => phase === restart.phase);
}

/** Why a restart failed, and where, in a sentence. */
export function failureText({ phase, reason }: Extract<RestartView, { kind: "failed" }>): string {
  const name = RESTART_STEPS.find(([step]) => step === phase)?.[1] ?? phase;
  return `The restart failed while ${name.toLowerCase()}: ${reason}`;
}

export const UPDATE_TONES: Readonly<Record<UpdateState, Tone>> = {
  running: "info",
  succeeded: "good",
  rolling_back: "warn",
  rolled_back: "warn",
  rollback_failed: "bad",
  interrupted: "bad",
};

export const NODE_TONES: Readonly<Record<UpdateNodeState, Tone>> = {
  pending: "plain",
  applying: "info",
  restarting: "info",
  ready: "good",
  failed: "bad",
  rolled_back: "warn",
  skipped: "plain",
};

/** States of the contract as words. */
export function words(state: string): string {
  return state.replaceAll("_", " ");
}
