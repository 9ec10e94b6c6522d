/** @module Archived sessions as callers see them. */
import { isoMicros } from "../../../lib/clock.ts";
import type { Session } from "../contract.ts";
import type { ArchivedHeader } from "./read.ts";

export function archivedSessionView(header: ArchivedHeader): Session {
  const { dispatch } = header;
  const failure = dispatch.lastFailure;
  return {
    id: header.id,
    user_id: header.user,
    agent_id: header.agent,
    status: header.status,
    metadata: header.metadata,
    inserted_at: isoMicros(header.insertedAt),
    updated_at: isoMicros(header.updatedAt),
    last_seq: header.lastSeq,
    dispatch: {
      state: dispatch.state,
      epoch: dispatch.epoch,
      last_sent_seq: dispatch.lastSentSeq,
      last_failure: failure && {
        dispatch_id: failure.dispatchId,
        reason: failure.reason,
        at: isoMicros(failure.at),
      },
    },
  };
}
