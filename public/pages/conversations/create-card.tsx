/** @module A new session of the user with an agent. */
import { useState } from "preact/hooks";
import type { Session } from "../../../services/conversations/contract.ts";
import { Button } from "../../components/button.tsx";
import { Card } from "../../components/card.tsx";
import { Field } from "../../components/field.tsx";
import { send } from "../../data/api.ts";
import { ApiError } from "../../data/api-error.ts";
import { tell } from "../../data/toasts.ts";

export interface CreateCardProps {
  readonly userId: string;
  readonly onCreated: (session: Session) => Promise<void>;
}

export function CreateCard({ userId, onCreated }: CreateCardProps) {
  const [agent, setAgent] = useState("");
  const [id, setId] = useState("");
  const [errors, setErrors] = useState<Readonly<Record<string, string>>>({});
  const [busy, setBusy] = useState(false);

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
          if (error instanceof ApiError) setErrors(errorsOf(error));
          throw error;
        }
      },
      { done: ({ session }) => `Session ${session.id} is there.`, failed: "The session was not created" },
    );
    if (created !== null) {
      setId("");
      await onCreated(created.session);
    }
    setBusy(false);
  }

  return (
    <Card title="New session">
      <form
        class="space-y-3"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy) void create();
        }}
      >
        <Field label="Agent id" value={agent} error={errors.agent_id ?? null} onChange={setAgent} />
        <Field
          label="Id of the session"
          hint="Empty: the node chooses one."
          mono
          value={id}
          error={errors.id ?? null}
          onChange={setId}
        />
        <Button type="submit" tone="primary" busy={busy}>
          Create session
        </Button>
      </form>
    </Card>
  );
}

/** The node's sentence, at the field that it is about. */
function errorsOf({ code, fields, message }: ApiError): Readonly<Record<string, string>> {
  if (Object.keys(fields).length > 0) return fields;
  if (code === "session_exists") return { id: message };
  if (code !== "invalid_session") return {};
  return message.startsWith("id ") ? { id: message } : { agent_id: message };
}
