/** @module One change of a node's TOML: checked, backed up, written, and the agent restarted on it. */
import type { ConfigJob, JobState, RestartOutcome } from "../contract.ts";

/** What the job is to write, and what it says about it. */
export interface Change {
  readonly text: string;
  /** Bootstrap hosts of the new text. */
  readonly hosts: readonly string[];
}

export interface JobSteps {
  /** The text that is there now; null when there is none. */
  current(): Promise<string | null>;
  /** The new text. Throws a sentence when there can be none. */
  change(current: string | null): Promise<Change>;
  /** Returns the id of the backup. */
  backUp(text: string): Promise<string>;
  write(text: string): Promise<void>;
  restart(): Promise<RestartOutcome>;
  /** Hears of every step. */
  tell(progress: Progress): void;
}

export type Progress = Pick<ConfigJob, "state" | "message"> & Partial<Pick<ConfigJob, "hosts" | "backup_id">>;

const FAILED: Readonly<Record<Exclude<JobState, "ready" | "error">, string>> = {
  validating: "Nothing was changed",
  backing_up: "Nothing was changed, for there is no backup",
  writing: "Nothing was changed, for the new configuration could not be written",
  restarting: "The configuration was written, but the agent does not run on it",
};

/** Runs the steps; the last word that is told is `ready` or `error`. Never throws. */
export async function runJob(steps: JobSteps): Promise<void> {
  let state: keyof typeof FAILED = "validating";
  const step = (next: keyof typeof FAILED, message: string, more: Partial<Progress> = {}) => {
    state = next;
    steps.tell({ state: next, message, ...more });
  };
  try {
    step("validating", "Checking the configuration.");
    const current = await steps.current();
    const { text, hosts } = await steps.change(current);
    step("backing_up", "Keeping the present configuration as a backup.", { hosts });
    const backup_id = current === null ? null : await steps.backUp(current);
    step("writing", "Writing the new configuration.", { backup_id });
    await steps.write(text);
    step("restarting", "Restarting the agent.");
    const { ok, phase, reason } = await steps.restart();
    if (!ok)
      throw new Error(`the restart failed while ${phase ?? "starting"}: ${reason ?? "no reason given"}`);
    steps.tell({ state: "ready", message: "The agent runs on the new configuration." });
  } catch (error) {
    steps.tell({ state: "error", message: `${FAILED[state]}: ${sentence(error)}` });
  }
}

/** The error's message with one full stop; the system's codes in words. */
function sentence(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") return "the disk is full.";
  return `${message.replace(/\.$/, "")}.`;
}
