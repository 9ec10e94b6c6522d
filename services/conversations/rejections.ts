/** @module What the state machine refused, as callers are told. */
import { FleetError } from "../../lib/errors.ts";
import type { ProposeResult } from "../raft/contract.ts";

type Rejected = Extract<ProposeResult, { kind: "rejected" }>;

export function unknownSession(id: string): FleetError {
  return new FleetError("session_not_found", `There is no session "${id}".`);
}

/** The error for a rejected command of a session. */
export function rejection({ code, last_seq }: Rejected, id: string): FleetError {
  switch (code) {
    case "session_not_found":
      return unknownSession(id);
    case "session_exists":
      return new FleetError(code, `Session "${id}" exists with other participants.`);
    case "not_participant":
      return new FleetError(code, `The sender is not a participant of session "${id}".`);
    case "session_archived":
      return new FleetError(code, `Session "${id}" is archived and takes no more messages.`);
    case "expected_seq_conflict":
      return new FleetError(code, `The session's last_seq is ${last_seq}, not the expected one.`, {
        last_seq,
      });
  }
}
