/** @module Where a message is written, and those that are not stored yet. */
import { useState } from "preact/hooks";
import type { Session } from "../../../services/conversations/contract.ts";
import { Button } from "../../components/button.tsx";
import { Field, Select } from "../../components/field.tsx";
import { Spinner } from "../../components/spinner.tsx";
import { ATTEMPTS, type Outgoing } from "./outbox.ts";
import type { Outbox } from "./use-outbox.ts";

export interface ComposerProps {
  readonly session: Session;
  readonly outbox: Outbox;
  readonly archived: boolean;
}

export function Composer({ session, outbox, archived }: ComposerProps) {
  const [text, setText] = useState("");
  const [sender, setSender] = useState<Outgoing["sender"]>("user");
  const [error, setError] = useState<string | null>(null);

  function write(): void {
    if (text.trim() === "") return setError("Write something first.");
    outbox.write(sender, text);
    setText("");
    setError(null);
  }

  return (
    <div class="border-t border-line p-4">
      <OutgoingList outbox={outbox} />
      {archived ? (
        <p class="text-sm text-muted">This session is archived: it takes no more messages.</p>
      ) : (
        <form
          class="flex flex-wrap items-start gap-2"
          noValidate
          onSubmit={(event) => {
            event.preventDefault();
            write();
          }}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            if (!(event.target instanceof HTMLTextAreaElement)) return;
            event.preventDefault();
            write();
          }}
        >
          <div class="w-40">
            <Select
              label="Write as"
              value={sender}
              options={[
                ["user", session.user_id],
                ["agent", `${session.agent_id} (agent)`],
              ]}
              onChange={setSender}
            />
          </div>
          <div class="min-w-48 flex-1">
            <Field
              label="Message"
              rows={2}
              value={text}
              error={error}
              hint="Enter sends, Shift+Enter begins a new line."
              onChange={setText}
            />
          </div>
          <div class="pt-5">
            <Button type="submit" tone="primary">
              Send
            </Button>
          </div>
        </form>
      )}
    </div>
  );
}

function OutgoingList({ outbox }: { readonly outbox: Outbox }) {
  if (outbox.outgoing.length === 0) return null;
  return (
    <ul class="mb-3 max-h-48 space-y-2 overflow-y-auto" aria-label="Messages on their way">
      {outbox.outgoing.map((out) => (
        <li
          key={out.key}
          class="rounded-md border border-line px-3 py-1.5 text-sm"
          data-outgoing={out.state.kind}
        >
          <p class="truncate">{out.text}</p>
          <OutgoingLine out={out} outbox={outbox} />
        </li>
      ))}
    </ul>
  );
}

function OutgoingLine({ out, outbox }: { readonly out: Outgoing; readonly outbox: Outbox }) {
  const { attempts, key, state } = out;
  if (state.kind === "failed") {
    return (
      <div class="mt-1 flex flex-wrap items-center gap-2 text-xs">
        <span class="min-w-0 flex-1 break-words text-bad">Not sent: {state.reason}</span>
        {!state.final && (
          <Button size="small" onPress={() => outbox.retry(key)}>
            Try again
          </Button>
        )}
        <Button size="small" tone="quiet" onPress={() => outbox.discard(key)}>
          Discard
        </Button>
      </div>
    );
  }
  return (
    <p class="mt-0.5 flex items-center gap-1.5 text-xs text-muted">
      <Spinner />
      {state.kind === "sending" && attempts === 0
        ? "Sending…"
        : `Attempt ${attempts + 1} of ${ATTEMPTS}${state.kind === "waiting" ? ` soon: ${state.reason}` : ""}`}
    </p>
  );
}
