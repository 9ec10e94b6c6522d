/** @module One session, open: who speaks, whether it is live, how far it is read, and what is on its way. */
import type { Socket } from "phoenix";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { Session } from "../../../services/conversations/contract.ts";
import { Badge, Lamp } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { Card, Skeleton } from "../../components/card.tsx";
import { Copy } from "../../components/copy.tsx";
import { Notice } from "../../components/notice.tsx";
import { send } from "../../data/api.ts";
import { sentenceOf } from "../../data/api-error.ts";
import { useNow } from "../../data/now.ts";
import { dataOf, errorOf, type Resource } from "../../data/resource.ts";
import { tell } from "../../data/toasts.ts";
import { ageText } from "../../data/wording.ts";
import { confirmed } from "../../shell/confirm.tsx";
import { Composer } from "./composer.tsx";
import type { Link } from "./conversation.ts";
import { MessageList } from "./message-list.tsx";
import { placeOf } from "./session-list.ts";
import { type OpenConversation, useConversation } from "./use-conversation.ts";
import { useOutbox } from "./use-outbox.ts";
import { useReadCursor } from "./use-read-cursor.ts";

export interface ConversationCardProps {
  readonly socket: Socket | null;
  readonly userId: string;
  readonly sessionId: string;
  readonly session: Resource<{ readonly session: Session }>;
  /** The session is another one now: archived, read. */
  readonly onChanged: () => Promise<void>;
}

export function ConversationCard({
  socket,
  userId,
  sessionId,
  session: resource,
  onChanged,
}: ConversationCardProps) {
  const conversation = useConversation(socket, userId, sessionId);
  const session = dataOf(resource)?.session ?? null;
  const foreign = session !== null && session.user_id !== userId;
  const mark = useReadCursor(conversation, sessionId, session !== null && !foreign);
  const outbox = useOutbox(userId, sessionId, (message) => conversation.tell({ kind: "stored", message }));
  const unread = conversation.unread?.count ?? 0;
  const archived = session?.status === "archived";
  const writable = session !== null && !foreign && !archived;
  useEffect(() => {
    if (session !== null) conversation.tell({ kind: "dispatch", dispatch: session.dispatch });
  }, [session]);

  async function archive(): Promise<void> {
    const question = {
      title: "Archive this session?",
      text: "It takes no messages any more, from anybody, and cannot be opened again. What was said stays.",
      action: "Archive session",
    };
    if (!(await confirmed(question))) return;
    await tell(() => send("DELETE", `/api/sessions/${encodeURIComponent(sessionId)}`), {
      done: "The session is archived.",
      failed: "The session was not archived",
    });
    await onChanged();
  }

  async function markRead(): Promise<void> {
    await tell(() => mark(conversation.head), {
      done: ({ cursor }) => `Read up to message ${cursor.last_seq}; ${cursor.unread_count} unread.`,
      failed: "It was not marked as read",
    });
    await onChanged();
  }

  return (
    <Card
      title={session === null ? "Conversation" : `${session.user_id} and ${session.agent_id}`}
      flush
      fill
      note={
        <span class="flex flex-wrap items-center gap-x-3 gap-y-1">
          <Copy text={sessionId} what="session id" />
          {archived && <Badge>archived</Badge>}
          <LinkLamp link={conversation.link} />
        </span>
      }
      actions={
        <>
          <span class="min-w-16 text-right tabular-nums" data-unread={conversation.unread?.count}>
            {conversation.unread !== null && (
              <Badge tone={unread > 0 ? "info" : "plain"}>{unread.toLocaleString("en")} unread</Badge>
            )}
          </span>
          <Button size="small" disabled={unread === 0 || foreign} onPress={markRead}>
            Mark as read
          </Button>
          <Button size="small" disabled={session === null || archived} onPress={archive}>
            Archive
          </Button>
        </>
      }
    >
      <Attention conversation={conversation} session={resource} foreign={foreign} userId={userId} />
      <Messages
        conversation={conversation}
        onRetry={() => Promise.all([conversation.newest(), resource.reload()])}
      >
        <MessageList
          conversation={conversation}
          userId={userId}
          session={session}
          outbox={outbox}
          writable={writable}
        />
      </Messages>
      {conversation.link.kind === "reconnecting" && <Interrupted since={conversation.link.since} />}
      {archived && (
        <p class="border-t border-line px-4 py-3 text-muted">
          This session is archived: it takes no more messages.
        </p>
      )}
      {writable && (
        <Composer
          session={session}
          onWrite={(written) => {
            outbox.write({ ...written, after: conversation.head });
            void conversation.newest();
          }}
        />
      )}
    </Card>
  );
}

interface MessagesProps {
  readonly conversation: OpenConversation;
  readonly onRetry: () => Promise<unknown>;
  readonly children: ComponentChildren;
}

/** The messages, or why there are none yet. */
function Messages({ conversation: { load }, onRetry, children }: MessagesProps) {
  if (load === "ready") return <>{children}</>;
  return (
    <div class="min-h-0 flex-1 p-4">
      {load === "loading" ? (
        <Skeleton lines={8} />
      ) : (
        <Notice
          tone="bad"
          action={
            <Button size="small" onPress={onRetry}>
              Retry
            </Button>
          }
        >
          {sentenceOf(load)}
        </Notice>
      )}
    </div>
  );
}

function LinkLamp({ link }: { readonly link: Link }) {
  switch (link.kind) {
    case "connecting":
      return <Lamp tone="plain" label="Socket" state="connecting" />;
    case "live":
      return <Lamp tone="good" label="Socket" state="live" />;
    case "reconnecting":
      return <Lamp tone="warn" label="Socket" state="reconnecting" />;
    case "refused":
      return <Lamp tone="bad" label="Socket" state="refused" title={link.reason} />;
  }
}

interface AttentionProps {
  readonly conversation: OpenConversation;
  readonly session: ConversationCardProps["session"];
  readonly foreign: boolean;
  readonly userId: string;
}

function Attention({ conversation: { link, load }, session, foreign, userId }: AttentionProps) {
  // What is wrong with all of it is said once.
  const interrupted = link.kind === "reconnecting" && dataOf(session) !== null;
  const problem = interrupted || load instanceof Error ? null : errorOf(session);
  const owner = dataOf(session)?.session ?? null;
  return (
    <>
      {problem !== null && <Warning text={sentenceOf(problem)} />}
      {foreign && owner !== null && (
        <Warning
          text={`This session is not ${userId}'s: it can be read here, but nothing is live.`}
          action={
            <a
              href={placeOf(owner.user_id, owner.id)}
              class="rounded font-medium underline underline-offset-2"
            >
              Open it as its user
            </a>
          }
        />
      )}
      {link.kind === "refused" && !foreign && problem === null && (
        <Warning text={`The node does not open this session for ${userId}: ${link.reason}.`} />
      )}
    </>
  );
}

function Warning({ text, action }: { readonly text: string; readonly action?: ComponentChildren }) {
  return (
    <div class="px-4 pt-3">
      <Notice tone="bad" action={action}>
        {text}
      </Notice>
    </div>
  );
}

/** A reconnect that takes less is nobody's concern. */
const GRACE_MS = 1500;

function Interrupted({ since }: { readonly since: number }) {
  const forMs = useNow() - since;
  if (forMs < GRACE_MS) return null;
  return (
    <div class="px-4 pb-3">
      <Notice tone="warn">
        The socket is interrupted ({ageText(forMs)}). Asking every 5 s, reconnecting; nothing that was sent is
        lost.
      </Notice>
    </div>
  );
}
