/** @module The list of runs: how long each took, and which are ticked for a comparison. Pure. */

import type { ListEntry } from "../../../services/analytics/bodies.ts";
import { EXPERIMENT_TONES } from "../../components/state-tones.ts";
import type { Tone } from "../../components/tone.ts";

export const SHOWN = 10;
export const LEAST_COMPARED = 2;
export const MOST_COMPARED = 6;

export function statusTone(status: ListEntry["status"]): Tone {
  return status === null ? "plain" : EXPERIMENT_TONES[status];
}

/** When it began; of a run without a row, its first event. */
export function startOf({
  started_at,
  time_range,
}: Pick<ListEntry, "started_at" | "time_range">): string | null {
  return started_at ?? time_range?.start ?? null;
}

/** Milliseconds from its begin to its end, or to `now` while it runs; null where nobody knows. */
export function durationMs(
  run: Pick<ListEntry, "started_at" | "ended_at" | "time_range" | "status">,
  now: number,
): number | null {
  const start = startOf(run);
  if (start === null) return null;
  const on = run.status === "running" || run.status === "finalizing";
  const end = on ? now : Date.parse(run.ended_at ?? run.time_range?.end ?? "");
  const ms = end - Date.parse(start);
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}

/** `0.4 s`, `12 s`, `3 min 05 s`, `2 h 07 min`; a dash for null. */
export function durationText(ms: number | null): string {
  if (ms === null) return "–";
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${two(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** The time of day here, with milliseconds: `03:04:05.678`; the text itself when it is no time. */
export function clockText(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  return `${date.toLocaleTimeString("en-GB")}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** Ticks after one was changed; a seventh is not taken. */
export function ticked(ticks: readonly string[], id: string): readonly string[] {
  if (ticks.includes(id)) return ticks.filter((one) => one !== id);
  return ticks.length < MOST_COMPARED ? [...ticks, id] : ticks;
}

/** Ticks of runs that can be seen; a run that is gone is not compared. */
export function stillThere(ticks: readonly string[], shown: readonly ListEntry[]): readonly string[] {
  return ticks.filter((id) => shown.some(({ experiment_id }) => experiment_id === id));
}

/** How a deletion went, in a sentence. */
export function deletionText(
  what: string,
  answer: { deleted_on: readonly string[]; unreachable: readonly string[] },
) {
  const on = answer.deleted_on.length;
  const where = `${on} ${on === 1 ? "node" : "nodes"}`;
  if (answer.unreachable.length === 0) return `${what} deleted on ${where}.`;
  return `${what} deleted on ${where}. Not reached, so still there: ${answer.unreachable.join(", ")}.`;
}
