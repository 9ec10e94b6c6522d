/** @module What a run may be started with. */
import { CorrosionError } from "../../../lib/corrosion/failures.ts";
import type { RunParameters } from "../contract.ts";
import { checkRunId, ID_RULE, isRunId } from "../run-id.ts";

const MAX_MESSAGES = 1000;
const MIN_INTERVAL_MS = 50;
const MAX_INTERVAL_MS = 60_000;
const DEFAULT_INTERVAL_MS = 1000;
/** What a message may hold (contract corroport, section 6). */
const MAX_PAYLOAD_BYTES = 8192;

export interface RunRequest {
  readonly parameters: RunParameters;
  readonly replace: boolean;
}

type Given = Readonly<Record<string, unknown>>;

/** Reads a start, with the defaults of what is absent. Throws `invalid_request` with every wrong field. */
export function readRunRequest(given: Given): RunRequest {
  const fields: Record<string, string> = {};
  const integer = (name: string, absent: number, min: number, max: number): number => {
    const value = given[name];
    if (value === undefined) return absent;
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
    fields[name] = `must be a whole number from ${min} to ${max}`;
    return absent;
  };
  const { experiment_id: id, replace = false, transport = "gossip" } = given;
  if (!isRunId(id)) fields.experiment_id = ID_RULE;
  if (typeof replace !== "boolean") fields.replace = "must be true or false";
  if (transport !== "gossip" && transport !== "pubsub") fields.transport = "must be gossip or pubsub";
  const numbers = {
    message_count: integer("message_count", 0, 0, MAX_MESSAGES),
    interval_ms: integer("interval_ms", DEFAULT_INTERVAL_MS, MIN_INTERVAL_MS, MAX_INTERVAL_MS),
    payload_bytes: integer("payload_bytes", 0, 0, MAX_PAYLOAD_BYTES),
  };
  if (Object.keys(fields).length > 0) throw refusal(fields);
  return {
    parameters: {
      experiment_id: checkRunId(id),
      transport: transport === "pubsub" ? "pubsub" : "gossip",
      ...numbers,
    },
    replace: replace === true,
  };
}

function refusal(fields: Readonly<Record<string, string>>): CorrosionError {
  const text = Object.entries(fields).map(([name, rule]) => `${name} ${rule}`);
  return new CorrosionError("invalid_request", `${text.join("; ")}.`, { fields });
}
