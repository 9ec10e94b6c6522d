/** @module A new session of the user with an agent. */
import { useState } from "preact/hooks";
import type { Session } from "../../../services/conversations/contract.ts";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Field } from "../../components/field.tsx";
import { Notice } from "../../components/notice.tsx";
import { send } from "../../data/api.ts";
import { ApiError, sentenceOf } from "../../data/api-error.ts";
import { tell } from "../../data/toasts.ts";

export interface CreateDialogProps {
  readonly userId: string;
  /** Agents that the user talks with already: a click chooses one. */
  readonly agentIds: readonly string[];
  readonly onCreated: (session: Session) => void;
  readonly onCancel: () => void;
}

export function CreateDialog({ userId, agentIds, onCreated, onCancel }: CreateDialogProps) {
  const [agent, setAgent] = useState("");
  const [id, setId] = useState("");
  const [errors, setErrors] = useState<Readonly<Record<string, string>>>({});
  const [busy, setBusy] = useState(false);

  function choose(agentId: string): void {
    setAgent(agentId);
    setErrors({});
  }

  async function create(): Promise<void> {
    const agentId = agent.trim();
    const own = id.trim();
    if (agentId === "") return setErrors({ agent_id: "With which agent?" });
    setErrors({});
    setBusy(true);
    const created = await tell(
      async () => {
        try {
          return await send<{ readonly session: Session }>("POST", "/api/sessions", {
            user_id: userId,
            agent_id: agentId,
            ...(own !== "" && { id: own }),
          });
        } catch (error) {
          // A toast lies behind the dialog: what it says must stand here too.
          setErrors(error instanceof ApiError ? errorsOf(error) : { other: sentenceOf(error) });
          throw error;
        }
      },
      { done: ({ session }) => `Session ${session.id} is there.`, failed: "The session was not created" },
    );
    setBusy(false);
    if (created !== null) onCreated(created.session);
  }

  return (
    <Dialog title="New session" onCancel={onCancel}>
      <form
        class="mt-4 space-y-3"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy) void create();
        }}
      >
        <p class="text-muted wrap-anywhere">
          Of user <span class="font-medium text-ink">{userId}</span> with an agent.
        </p>
        <Field label="Agent id" autoFocus value={agent} error={errors.agent_id ?? null} onChange={choose} />
        {agentIds.length > 0 && (
          <div class="flex flex-wrap gap-1.5">
            {agentIds.map((known) => (
              <Button
                key={known}
                size="small"
                pressed={agent === known}
                label={`Choose agent ${known}`}
                onPress={() => choose(known)}
              >
                <span class="max-w-40 truncate">{known}</span>
              </Button>
            ))}
          </div>
        )}
        <Field
          label="Id of the session"
          hint="Empty: the node chooses one."
          mono
          value={id}
          error={errors.id ?? null}
          onChange={setId}
        />
        {errors.other !== undefined && <Notice tone="bad">{errors.other}</Notice>}
        <div class="flex justify-end gap-2 pt-2">
          <Button onPress={onCancel}>Cancel</Button>
          <Button type="submit" tone="primary" busy={busy}>
            Create session
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** The node's sentence, at the field that it is about. */
function errorsOf({ code, fields, message }: ApiError): Readonly<Record<string, string>> {
  if (Object.keys(fields).length > 0) return fields;
  if (code === "session_exists") return { id: message };
  if (code !== "invalid_session") return { other: sentenceOf(message) };
  return message.startsWith("id ") ? { id: message } : { agent_id: message };
}
