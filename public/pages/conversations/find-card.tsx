/** @module Whose sessions, or which one. */
import { useEffect, useState } from "preact/hooks";
import type { Session } from "../../../services/conversations/contract.ts";
import { Button } from "../../components/button.tsx";
import { Card } from "../../components/card.tsx";
import { Field } from "../../components/field.tsx";
import { api } from "../../data/api.ts";
import { sentenceOf } from "../../data/api-error.ts";
import { toast } from "../../data/toasts.ts";

export interface FindCardProps {
  readonly userId: string | null;
  readonly onUser: (userId: string) => void;
  readonly onSession: (session: Session) => void;
}

export function FindCard({ userId, onUser, onSession }: FindCardProps) {
  const [user, setUser] = useState(userId ?? "");
  const [userError, setUserError] = useState<string | null>(null);
  const [id, setId] = useState("");
  const [idError, setIdError] = useState<string | null>(null);
  const [looking, setLooking] = useState(false);
  useEffect(() => setUser(userId ?? ""), [userId]);

  function show(): void {
    const wanted = user.trim();
    setUserError(wanted === "" ? "Whose sessions?" : null);
    if (wanted !== "") onUser(wanted);
  }

  async function find(): Promise<void> {
    const wanted = id.trim();
    setIdError(wanted === "" ? "Which session?" : null);
    if (wanted === "") return;
    setLooking(true);
    try {
      const { session } = await api<{ readonly session: Session }>(
        `/api/sessions/${encodeURIComponent(wanted)}`,
      );
      toast.success(`Found session ${session.id} of ${session.user_id}.`);
      setId("");
      onSession(session);
    } catch (error) {
      setIdError(sentenceOf(error));
      toast.error(error);
    } finally {
      setLooking(false);
    }
  }

  return (
    <Card title="Find">
      <form
        class="flex items-start gap-2"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          show();
        }}
      >
        <div class="min-w-0 flex-1">
          <Field label="User id" value={user} error={userError} onChange={setUser} />
        </div>
        <div class="pt-5">
          <Button type="submit">Show sessions</Button>
        </div>
      </form>
      <form
        class="mt-3 flex items-start gap-2"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!looking) void find();
        }}
      >
        <div class="min-w-0 flex-1">
          <Field label="Session id" mono value={id} error={idError} onChange={setId} />
        </div>
        <div class="pt-5">
          <Button type="submit" busy={looking}>
            Find session
          </Button>
        </div>
      </form>
    </Card>
  );
}
