/** @module One session, open: who speaks, whether it is live, how far it is read, and what is on its way. */
import type { Socket } from "phoenix";
import { useEffect, useState } from "preact/hooks";
import type { ReadResult, Session } from "../../../services/conversations/contract.ts";
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
import { type Link, lastSeqOf, unreadOf } from "./conversation.ts";
import { MessageList } from "./message-list.tsx";
import { useConversation } from "./use-conversation.ts";
import { useOutbox } from "./use-outbox.ts";

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
  const conversation = useConversation(socket, sessionId);
  const session = dataOf(resource)?.session ?? null;
  const foreign = session !== null && session.user_id !== userId;
  const { read, mark } = useReadCursor(userId, sessionId, session !== null && !foreign);
  const outbox = useOutbox({
    sessionId,
    userId,
    agentId: session?.agent_id ?? "",
    onStored: (message) => conversation.tell({ kind: "stored", message }),
  });
  const unread = read === null ? [] : unreadOf(conversation.messages, userId, read);
  const archived = session?.status === "archived";

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
    await tell(() => mark(lastSeqOf(conversation)), {
      done: ({ cursor }) => `Read up to message ${cursor.last_seq}; ${cursor.unread_count} unread.`,
      failed: "It was not marked as read",
    });
    await onChanged();
  }

  return (
    <Card
      title={session === null ? "Conversation" : `${session.user_id} and ${session.agent_id}`}
      flush
      note={
        <span class="flex flex-wrap items-center gap-2">
          <Copy text={sessionId} what="session id" />
          {archived && <Badge>archived</Badge>}
          <LinkLamp link={conversation.link} />
        </span>
      }
      actions={
        <>
          <span class="min-w-16 text-right text-xs tabular-nums" data-unread={unread.length}>
            {unread.length > 0 && <Badge tone="info">{unread.length} unread</Badge>}
          </span>
          <Button size="small" disabled={unread.length === 0 || foreign} onPress={markRead}>
            Mark as read
          </Button>
          <Button size="small" disabled={session === null || archived} onPress={archive}>
            Archive
          </Button>
        </>
      }
    >
      <Attention link={conversation.link} problem={errorOf(resource)} foreign={foreign} userId={userId} />
      {conversation.load === "loading" && (
        <div class="h-112 p-4">
          <Skeleton lines={8} />
        </div>
      )}
      {conversation.load instanceof Error && (
        <div class="p-4">
          <Notice
            tone="bad"
            action={
              <Button size="small" onPress={conversation.reload}>
                Retry
              </Button>
            }
          >
            {sentenceOf(conversation.load)}
          </Notice>
        </div>
      )}
      {conversation.load === "ready" && (
        <MessageList
          conversation={conversation}
          userId={userId}
          firstUnread={unread[0]?.seq ?? null}
          onEarlier={conversation.earlier}
        />
      )}
      {session !== null && !foreign && (
        <Composer key={sessionId} session={session} outbox={outbox} archived={archived} />
      )}
    </Card>
  );
}

interface ReadCursor {
  /** Null: not known yet. */
  readonly read: number | null;
  readonly mark: (seq: number) => Promise<ReadResult>;
}

/** How far the user has read: asked by a mark at 0, which moves nothing, for the cursor never goes back. */
function useReadCursor(userId: string, sessionId: string, known: boolean): ReadCursor {
  const [read, setRead] = useState<number | null>(null);
  const mark = async (seq: number) => {
    const path = `/api/sessions/${encodeURIComponent(sessionId)}/read`;
    const result = await send<ReadResult>("POST", path, { user_id: userId, last_seq: seq });
    setRead(result.cursor.last_seq);
    return result;
  };
  useEffect(() => {
    // Without it nothing counts as unread, and the session's own error is on the page.
    if (known) mark(0).catch(() => setRead(null));
  }, [known]);
  return { read, mark };
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
  readonly link: Link;
  readonly problem: Error | null;
  readonly foreign: boolean;
  readonly userId: string;
}

function Attention({ link, problem, foreign, userId }: AttentionProps) {
  const texts = [
    problem === null ? null : sentenceOf(problem),
    foreign ? `This session is not ${userId}'s: it can be read here, but nothing is live.` : null,
    link.kind === "refused" && !foreign
      ? `The node does not open this session for ${userId}: ${link.reason}.`
      : null,
  ].filter((text) => text !== null);
  return (
    <>
      {link.kind === "reconnecting" && <Interrupted since={link.since} />}
      {texts.map((text) => (
        <div key={text} class="px-4 pt-3">
          <Notice tone="bad">{text}</Notice>
        </div>
      ))}
    </>
  );
}

/** A reconnect that takes less is nobody's concern. */
const GRACE_MS = 1500;

function Interrupted({ since }: { readonly since: number }) {
  const forMs = useNow() - since;
  if (forMs < GRACE_MS) return null;
  return (
    <div class="px-4 pt-3">
      <Notice tone="warn">
        The socket is interrupted ({ageText(forMs)}). Asking every 5 s, reconnecting; nothing that was sent is
        lost.
      </Notice>
    </div>
  );
}
