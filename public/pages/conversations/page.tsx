/** @module Conversations: the sessions of a user, and one of them, open and live. */
import { useEffect, useRef, useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import type { Session, SessionPage } from "../../../services/conversations/contract.ts";
import { classes } from "../../components/classes.ts";
import { PageHeading } from "../../components/page-heading.tsx";
import { dataOf } from "../../data/resource.ts";
import { useResource } from "../../data/use-resource.ts";
import { ConversationCard } from "./conversation-card.tsx";
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
  const [entered, setEntered] = useState(false);
  const enter = (user: string, open: string) => {
    setEntered(true);
    go(user, open);
  };
  const changed = async () => {
    await Promise.all([list.refetch(), session.refetch()]);
  };

  const isOpen = sessionId !== null && userId !== null;
  return (
    <div class="space-y-4">
      <div class={classes(isOpen && "max-lg:hidden")}>
        <PageHeading title="Conversations">Sessions of a user with agents, as any node has them.</PageHeading>
      </div>
      <div class="grid grid-cols-[minmax(0,1fr)] gap-4 lg:h-[calc(100dvh-11rem)] lg:min-h-112 lg:grid-cols-[22rem_minmax(0,1fr)]">
        <div class={classes("flex min-h-0 min-w-0 flex-col gap-4", isOpen && "max-lg:hidden")}>
          <FindCard
            userId={userId}
            onUser={(user) => go(user, null)}
            onSession={({ id, user_id }) => enter(user_id, id)}
          />
          {userId !== null && (
            <div class="flex min-h-0 flex-col max-lg:max-h-[70dvh] lg:min-h-40">
              <SessionsCard
                key={userId}
                userId={userId}
                list={list}
                open={sessionId}
                seen={seen}
                onOpen={(id) => enter(userId, id)}
                onCreated={({ id }) => {
                  enter(userId, id);
                  void list.refetch();
                }}
              />
            </div>
          )}
        </div>
        {isOpen ? (
          <div class="grid min-h-0 min-w-0 grid-cols-[minmax(0,1fr)] grid-rows-[auto_minmax(0,1fr)] gap-2 max-lg:h-[calc(100dvh-7rem)] max-lg:min-h-112 lg:grid-rows-[minmax(0,1fr)]">
            <BackLink userId={userId} focus={entered} />
            <ConversationCard
              key={`${userId} ${sessionId}`}
              socket={socket}
              userId={userId}
              sessionId={sessionId}
              session={session}
              onChanged={changed}
            />
          </div>
        ) : (
          <div
            class={classes(
              "flex items-center justify-center rounded-lg border border-dashed border-line-strong/50 p-8 text-center text-muted",
              userId !== null && "max-lg:hidden",
            )}
          >
            {userId === null
              ? "Say whose sessions you want to see, or find a session by its id."
              : "Open a session, or create one."}
          </div>
        )}
      </div>
    </div>
  );
}

/** On a narrow screen, where the list and a session are two steps; whoever took the first one is on it. */
function BackLink({ userId, focus }: { readonly userId: string; readonly focus: boolean }) {
  const link = useRef<HTMLAnchorElement>(null);
  useEffect(() => {
    if (focus) link.current?.focus();
  }, []);
  return (
    <a
      ref={link}
      href={placeOf(userId, null)}
      class="flex max-w-full gap-1 rounded font-medium text-accent lg:hidden"
    >
      ← <span class="truncate">Sessions of {userId}</span>
    </a>
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
