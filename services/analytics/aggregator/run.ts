/** @module A run as one node sees it: what it does next, decided from what it heard and what time it is. No I/O. */
import type { ExperimentControl, ExperimentRow, ExperimentStatus } from "../contract.ts";

/** Durations in milliseconds. */
export interface RunTiming {
  /** From the start to the first message. */
  readonly firstMessageMs: number;
  /** Between two signs of life of the owner. */
  readonly tickMs: number;
  /** Without one for so long, the owner counts as lost. */
  readonly silenceMs: number;
  /** From the last message to the end: so long its acknowledgements have. */
  readonly settleMs: number;
  /** From the start to the first collection, and between two. */
  readonly firstCollectionMs: number;
  readonly collectionMs: number;
}

/** As the contract has it (corroport, section 7). The time between collections is configured. */
export const RUN_TIMING: Omit<RunTiming, "collectionMs"> = {
  firstMessageMs: 500,
  tickMs: 10_000,
  silenceMs: 35_000,
  settleMs: 3000,
  firstCollectionMs: 1000,
};

/** Two clocks read at once: a monotonic one in milliseconds, and microseconds since 1970. */
export interface Instant {
  readonly ms: number;
  readonly us: number;
}

interface Taking {
  /** As the owner has it; the owner's own copy is the one that others follow. */
  readonly run: ExperimentRow;
  /** When to collect next, monotonic. */
  readonly collectAt: number;
}

export interface Leading extends Taking {
  readonly kind: "leading";
  readonly tickAt: number;
  /** Of the next message, from 1. */
  readonly index: number;
  readonly messageAt: number;
  /** Messages without an outcome. */
  readonly sending: number;
  /** When the run is over; null before the last message has an outcome. */
  readonly endAt: number | null;
}

export interface Following extends Taking {
  readonly kind: "following";
  /** When the owner counts as lost. */
  readonly lostAt: number;
}

export type RunState = { readonly kind: "idle" } | Leading | Following;

export type RunInput =
  /** Every node that could be asked lets this one begin. */
  | { readonly kind: "lead"; readonly run: ExperimentRow }
  /** The word of another node. */
  | { readonly kind: "control"; readonly control: ExperimentControl }
  /** The outcome of a message; `failure` is a sentence. */
  | { readonly kind: "outcome"; readonly failure: string | null }
  | { readonly kind: "stop"; readonly status: "stopped" | "interrupted"; readonly error: string | null }
  /** Time went by. */
  | { readonly kind: "time" };

export type RunCommand =
  /** The node takes part from now on: one snapshot, metrics. */
  | { readonly kind: "begin"; readonly run: ExperimentRow }
  /** What is known of the run changed. */
  | { readonly kind: "write"; readonly run: ExperimentRow }
  | { readonly kind: "tell"; readonly type: ExperimentControl["type"]; readonly run: ExperimentRow }
  | { readonly kind: "send"; readonly run: ExperimentRow; readonly index: number }
  | { readonly kind: "progress"; readonly run: ExperimentRow }
  | { readonly kind: "collect"; readonly run: ExperimentRow }
  /** The node's part is over. */
  | { readonly kind: "end"; readonly run: ExperimentRow };

export interface Decision {
  readonly state: RunState;
  readonly commands: readonly RunCommand[];
}

/** Messages of a run that may be without an outcome at a time: an agent that hangs must not pile up more. */
export const MAX_SENDING = 64;

export const IDLE: RunState = { kind: "idle" };

/** What a node does with an input at a time. */
export function decide(state: RunState, input: RunInput, now: Instant, timing: RunTiming): Decision {
  switch (input.kind) {
    case "lead":
      return lead(input.run, now, timing);
    case "control":
      return hear(state, input.control, now, timing);
    case "outcome":
      return state.kind === "leading" ? settle(state, input.failure, now, timing) : still(state);
    case "stop":
      if (state.kind === "idle") return still(state);
      return end(state.run, input.status, input.error, now);
    case "time":
      return pass(state, now, timing);
  }
}

/** When `decide` wants to be told that time went by, monotonic; null: not at all. */
export function nextAt(state: RunState): number | null {
  if (state.kind === "idle") return null;
  if (state.kind === "following") return Math.min(state.lostAt, state.collectAt);
  const times = [state.tickAt, state.collectAt];
  if (mayProceed(state)) times.push(state.messageAt);
  if (state.endAt !== null) times.push(state.endAt);
  return Math.min(...times);
}

/** The text of a message of a run. */
export function textOf({ id, message_count, payload_bytes }: ExperimentRow, index: number): string {
  return `Experiment ${id} message ${index}/${message_count} `.padEnd(payload_bytes, ".").trimEnd();
}

/** Whether both are one and the same run, not only of one experiment. */
export function isSameRun(a: ExperimentRow, b: ExperimentRow): boolean {
  return (
    a.id === b.id &&
    a.owner_node === b.owner_node &&
    a.run_count === b.run_count &&
    a.started_at === b.started_at
  );
}

function still(state: RunState): Decision {
  return { state, commands: [] };
}

function lead(run: ExperimentRow, now: Instant, timing: RunTiming): Decision {
  const state: Leading = {
    kind: "leading",
    run,
    tickAt: now.ms + timing.tickMs,
    collectAt: now.ms + timing.firstCollectionMs,
    index: 1,
    messageAt: now.ms + timing.firstMessageMs,
    sending: 0,
    endAt: null,
  };
  return {
    state,
    commands: [
      { kind: "begin", run },
      { kind: "write", run },
      { kind: "tell", type: "start", run },
    ],
  };
}

function hear(state: RunState, control: ExperimentControl, now: Instant, timing: RunTiming): Decision {
  const { run, type } = control;
  if (state.kind === "leading") return hearWhileLeading(state, control, now);
  const following = state.kind === "following" ? state : null;
  if (type === "stop") return hearStop(following, run);
  // One run at a time: another one has to wait until this one ends or falls silent.
  if (following && type === "tick" && !isSameRun(following.run, run)) return still(state);
  const known = following !== null && isSameRun(following.run, run);
  const commands: RunCommand[] = [];
  // Whoever starts was let by every node, so that the end of the run before was only missed.
  if (following && !known) commands.push(...lost(following.run, now).commands);
  if (!known) commands.push({ kind: "begin", run });
  commands.push({ kind: "write", run }, { kind: "progress", run });
  const collectAt = known ? following.collectAt : now.ms + timing.firstCollectionMs;
  return { state: { kind: "following", run, lostAt: now.ms + timing.silenceMs, collectAt }, commands };
}

function hearStop(following: Following | null, run: ExperimentRow): Decision {
  const write: RunCommand = { kind: "write", run };
  if (following === null) return { state: IDLE, commands: [write] };
  if (isSameRun(following.run, run)) {
    return { state: IDLE, commands: [write, { kind: "progress", run }, { kind: "end", run }] };
  }
  // A late word on an earlier run of the same experiment would undo what is known of this one.
  return { state: following, commands: following.run.id === run.id ? [] : [write] };
}

function hearWhileLeading(state: Leading, { run, type }: ExperimentControl, now: Instant): Decision {
  const own = isSameRun(state.run, run);
  // Somebody ended it for a node that could not be reached.
  if (own && type === "stop") return end(state.run, finalStatus(run.status), run.error, now);
  if (own || type === "stop" || !precedes(run, state.run)) return still(state);
  const error = `The run of ${run.id}, led by ${run.owner_node}, was on before this one: the nodes did not see each other when it began.`;
  return end(state.run, "stopped", error, now);
}

/** The order of two runs that began where the nodes did not see each other. */
function precedes(a: ExperimentRow, b: ExperimentRow): boolean {
  if (a.started_at !== b.started_at) return a.started_at < b.started_at;
  return a.owner_node < b.owner_node;
}

function finalStatus(status: ExperimentStatus): ExperimentStatus {
  return status === "running" || status === "finalizing" ? "stopped" : status;
}

function end(run: ExperimentRow, status: ExperimentStatus, error: string | null, now: Instant): Decision {
  const ended = { ...run, status, ended_at: now.us, error: error ?? run.error };
  return {
    state: IDLE,
    commands: [
      { kind: "write", run: ended },
      { kind: "progress", run: ended },
      { kind: "tell", type: "stop", run: ended },
      { kind: "end", run: ended },
    ],
  };
}

/** A follower tells nobody: the others find out by themselves, and the owner may only be slow. */
function lost(run: ExperimentRow, now: Instant): Decision {
  const error = `Its owner ${run.owner_node} was not heard of any more.`;
  const ended: ExperimentRow = { ...run, status: "interrupted", ended_at: now.us, error };
  return {
    state: IDLE,
    commands: [
      { kind: "write", run: ended },
      { kind: "end", run: ended },
    ],
  };
}

function settle(state: Leading, failure: string | null, now: Instant, timing: RunTiming): Decision {
  const { run } = state;
  const counted: ExperimentRow =
    failure === null
      ? { ...run, sent_count: run.sent_count + 1 }
      : { ...run, failed_count: run.failed_count + 1, error: failure };
  const done = counted.sent_count + counted.failed_count === counted.message_count;
  const after: ExperimentRow = done ? { ...counted, status: "finalizing" } : counted;
  return {
    state: {
      ...state,
      run: after,
      sending: state.sending - 1,
      endAt: done ? now.ms + timing.settleMs : null,
    },
    commands: [
      { kind: "write", run: after },
      { kind: "progress", run: after },
    ],
  };
}

function pass(state: RunState, now: Instant, timing: RunTiming): Decision {
  if (state.kind === "idle") return still(state);
  if (state.kind === "following") {
    if (now.ms >= state.lostAt) return lost(state.run, now);
    const collected = collect(state, now, timing);
    return { state: { ...state, collectAt: collected.at }, commands: collected.commands };
  }
  if (state.endAt !== null && now.ms >= state.endAt) {
    const failed = state.run.sent_count === 0;
    return end(state.run, failed ? "failed" : "completed", null, now);
  }
  const commands: RunCommand[] = [];
  let { index, messageAt, sending, tickAt } = state;
  if (mayProceed(state) && now.ms >= messageAt) {
    commands.push({ kind: "send", run: state.run, index });
    // Whoever comes late goes on from there: messages in a burst would measure something else.
    const { interval_ms } = state.run;
    messageAt = (now.ms - messageAt > interval_ms ? now.ms : messageAt) + interval_ms;
    index += 1;
    sending += 1;
  }
  if (now.ms >= tickAt) {
    commands.push({ kind: "tell", type: "tick", run: state.run });
    tickAt = now.ms + timing.tickMs;
  }
  const collected = collect(state, now, timing);
  commands.push(...collected.commands);
  return { state: { ...state, index, messageAt, sending, tickAt, collectAt: collected.at }, commands };
}

function mayProceed({ index, run, sending }: Leading): boolean {
  return index <= run.message_count && sending < MAX_SENDING;
}

function collect({ collectAt, run }: Taking, now: Instant, { collectionMs }: RunTiming) {
  if (now.ms < collectAt) return { at: collectAt, commands: [] };
  const commands: RunCommand[] = [{ kind: "collect", run }];
  return { at: now.ms + collectionMs, commands };
}
