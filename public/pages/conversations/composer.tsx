/** @module Where a message is written. */
import { useState } from "preact/hooks";
import type { Session } from "../../../services/conversations/contract.ts";
import { Button } from "../../components/button.tsx";
import { Field, Select } from "../../components/field.tsx";
import type { Outgoing } from "./outbox.ts";
import { keepUnsent, unsentText } from "./unsent.ts";

/** Of the form; there is one on the page. */
export const COMPOSER_ID = "composer";

export interface ComposerProps {
  readonly session: Session;
  readonly onWrite: (written: Pick<Outgoing, "sender" | "senderId" | "text">) => void;
}

export function Composer({ session, onWrite }: ComposerProps) {
  const [text, setText] = useState(unsentText(session.id));
  const [sender, setSender] = useState<Outgoing["sender"]>("user");
  const [error, setError] = useState<string | null>(null);

  function change(to: string): void {
    keepUnsent(session.id, to);
    setText(to);
    setError(null);
  }

  function write(): void {
    if (text.trim() === "") return setError("Write something first.");
    onWrite({ sender, senderId: sender === "user" ? session.user_id : session.agent_id, text });
    change("");
  }

  return (
    <form
      id={COMPOSER_ID}
      class="grid grid-cols-[1fr_auto] items-start gap-x-2 gap-y-2 border-t border-line px-4 py-3 sm:grid-cols-[10rem_1fr_auto]"
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
      <div class="col-span-2 sm:col-span-1">
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
      <Field
        label="Message"
        rows={2}
        value={text}
        error={error}
        hint="Enter sends, Shift+Enter begins a new line."
        onChange={change}
      />
      <div class="pt-5">
        <Button type="submit" tone="primary">
          Send
        </Button>
      </div>
    </form>
  );
}
