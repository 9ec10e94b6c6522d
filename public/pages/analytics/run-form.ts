/** @module What a person fills in for a run, and what is wrong with it. Pure. */
import type { StartRun } from "../../../services/analytics/contract.ts";
import { countText } from "../../data/wording.ts";

/** As typed. */
export interface RunFields {
  readonly experiment_id: string;
  readonly transport: "gossip" | "pubsub";
  readonly message_count: string;
  readonly interval_ms: string;
  readonly payload_bytes: string;
}

export type RunErrors = Partial<Record<keyof RunFields, string>>;

export type ReadRun =
  | { readonly ok: true; readonly run: Required<Omit<StartRun, "replace">> }
  | { readonly ok: false; readonly errors: RunErrors };

/** The node's rule (`services/analytics/run-id.ts`). */
const RUN_ID = /^(?!\.)[A-Za-z0-9._-]{1,64}$/;
const ID_RULE = "1 to 64 letters, digits, dots, dashes or underscores, and no dot first.";

/** Contract corroport, section 7. */
export const LIMITS = {
  message_count: { min: 0, max: 1000 },
  interval_ms: { min: 50, max: 60_000 },
  payload_bytes: { min: 0, max: 8192 },
} as const;

export function isRunId(text: string): boolean {
  return RUN_ID.test(text);
}

/** The form at its beginning. */
export function freshFields(now: Date): RunFields {
  return {
    experiment_id: proposedId(now),
    transport: "gossip",
    message_count: "10",
    interval_ms: "1000",
    payload_bytes: "0",
  };
}

/** An id that tells when, by the second: `run-20260102-030405`. */
export function proposedId(now: Date): string {
  const digits = now.toISOString().replaceAll(/\D/g, "");
  return `run-${digits.slice(0, 8)}-${digits.slice(8, 14)}`;
}

/** The request that the fields ask for, or a sentence for each that is wrong. */
export function readRun(fields: RunFields): ReadRun {
  const errors: RunErrors = {};
  const id = fields.experiment_id.trim();
  if (!isRunId(id)) errors.experiment_id = ID_RULE;
  const whole = (name: keyof typeof LIMITS): number => {
    const { min, max } = LIMITS[name];
    const text = fields[name].trim();
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max)
      errors[name] = `A whole number from ${min} to ${max.toLocaleString("en")}.`;
    return value;
  };
  const run = {
    experiment_id: id,
    transport: fields.transport,
    message_count: whole("message_count"),
    interval_ms: whole("interval_ms"),
    payload_bytes: whole("payload_bytes"),
  };
  return Object.keys(errors).length > 0 ? { ok: false, errors } : { ok: true, run };
}

/** What a run does, as the begin of a sentence: `10 messages, one every 100 ms, padded to 512 bytes,`. */
export function planText(
  run: Pick<Required<StartRun>, "message_count" | "interval_ms" | "payload_bytes">,
): string {
  const { message_count: count, interval_ms: interval, payload_bytes: payload } = run;
  if (count === 0) return "What any node sends until it is stopped,";
  const parts = [countText(count, "message")];
  if (count > 1) parts.push(`one every ${interval.toLocaleString("en")} ms`);
  if (payload > 0) parts.push(`padded to ${countText(payload, "byte")}`);
  return parts.length === 1 ? parts[0]! : `${parts.join(", ")},`;
}

const NAMES: readonly string[] = Object.keys(freshFields(new Date(0)));

/** What the node found wrong with fields of the form; it knows others too. */
export function errorsOfNode(fields: Readonly<Record<string, string>>): RunErrors {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => NAMES.includes(name)));
}
