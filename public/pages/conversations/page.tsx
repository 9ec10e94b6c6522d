/** @module Conversations: the sessions of a user, and one of them, open and live. */
import { useEffect, useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import type { Session, SessionPage } from "../../../services/conversations/contract.ts";
import { Card } from "../../components/card.tsx";
import { PageHeading } from "../../components/page-heading.tsx";
import { dataOf } from "../../data/resource.ts";
import { useResource } from "../../data/use-resource.ts";
import { ConversationCard } from "./conversation-card.tsx";
import { CreateCard } from "./create-card.tsx";
import { FindCard } from "./find-card.tsx";
import { placeOf, seenAfter } from "./session-list.ts";
import { SessionsCard } from "./sessions-card.tsx";
import { useSocket } from "./use-socket.ts";

/** No topic tells of sessions. */
const POLL_MS = 5000;

export default function ConversationsPage() {
  const { query, route } = useLocation();
  const userId = query.user_id || null;
  const sessionId = query.session_id || null;
  const socket = useSocket(userId);
  const list = useResource<SessionPage>(
    userId === null ? null : `/api/sessions?user_id=${encodeURIComponent(userId)}`,
    { pollMs: POLL_MS },
  );
  const session = useResource<{ readonly session: Session }>(
    sessionId === null ? null : `/api/sessions/${encodeURIComponent(sessionId)}`,
    { pollMs: POLL_MS },
  );
  const seen = useSeen(userId, dataOf(list)?.sessions, sessionId);
  const go = (user: string | null, open: string | null) => route(placeOf(user, open));
  const changed = async () => {
    await Promise.all([list.reload(), session.reload()]);
  };

  return (
    <div class="space-y-4">
      <PageHeading title="Conversations">Sessions of a user with agents, as any node has them.</PageHeading>
      <div class="grid items-start gap-4 lg:grid-cols-[24rem_1fr]">
        <div class="min-w-0 space-y-4">
          <FindCard
            userId={userId}
            onUser={(user) => go(user, null)}
            onSession={({ id, user_id }) => go(user_id, id)}
          />
          {userId !== null && (
            <>
              <SessionsCard
                key={userId}
                userId={userId}
                list={list}
                open={sessionId}
                seen={seen}
                onOpen={(id) => go(userId, id)}
              />
              <CreateCard
                userId={userId}
                onCreated={async ({ id }) => {
                  go(userId, id);
                  await list.reload();
                }}
              />
            </>
          )}
        </div>
        {sessionId === null || userId === null ? (
          <Card title="Conversation">
            <p class="text-muted">
              {userId === null
                ? "Say whose sessions you want to see, or find a session by its id."
                : "Open a session, or create one."}
            </p>
          </Card>
        ) : (
          <ConversationCard
            key={`${userId} ${sessionId}`}
            socket={socket}
            userId={userId}
            sessionId={sessionId}
            session={session}
            onChanged={changed}
          />
        )}
      </div>
    </div>
  );
}

/** What the person has seen of each session, for as long as the page shows this user. */
function useSeen(
  userId: string | null,
  sessions: readonly Session[] | undefined,
  open: string | null,
): ReadonlyMap<string, number> {
  const [seen, setSeen] = useState<ReadonlyMap<string, number>>(new Map());
  useEffect(() => setSeen(new Map()), [userId]);
  useEffect(() => {
    if (sessions !== undefined) setSeen((before) => seenAfter(before, sessions, open));
  }, [sessions, open]);
  return seen;
}
