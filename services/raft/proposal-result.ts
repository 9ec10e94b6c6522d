/** @module What a caller is told of the outcome of its command. */
import { isoMicros } from "../../lib/clock.ts";
import type { Outcome } from "../../lib/conversation/apply.ts";
import type { Command } from "../../lib/conversation/commands.ts";
import { errorCode } from "../../lib/errors.ts";
import type { ProposeResult } from "./contract.ts";
import type { History } from "./history.ts";
import { sessionView } from "./views.ts";

/** The original of a repeated append is read back first. */
export function resultOf(
  outcome: Outcome,
  command: Command,
  history: Pick<History, "one">,
): ProposeResult | Promise<ProposeResult> {
  switch (outcome.kind) {
    case "created":
      return { kind: "created", session: sessionView(outcome.session), created: outcome.created };
    case "appended": {
      const { id, at } = command as Extract<Command, { t: "append" }>;
      return { kind: "appended", seq: outcome.seq, id, inserted_at: isoMicros(at) };
    }
    case "deduped":
      return history.one(outcome.session, outcome.seq).then(
        (message): ProposeResult => ({ kind: "deduped", message }),
        // The original is safe; the caller's next try with the same key reads it.
        (error: unknown): ProposeResult => {
          const away = errorCode(error) === "archive_unavailable";
          return { kind: "refused", why: away ? "archive_unavailable" : "unavailable", hint: null };
        },
      );
    case "archived":
    case "read": {
      const { session } = outcome;
      return {
        kind: "session",
        session: sessionView(session),
        cursor: session.cursor,
        unread: session.unread.length,
      };
    }
    case "rejected":
      return { kind: "rejected", code: outcome.code, last_seq: outcome.lastSeq };
    case "epoch":
    case "hydrated":
    case "kept":
      throw new Error(`no caller proposes what ended as ${outcome.kind}`);
  }
}
