/** @module What was said: the newest at the bottom, where the list stays unless somebody scrolls up. */
import { Component, type ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Session } from "../../../services/conversations/contract.ts";
import { Button } from "../../components/button.tsx";
import { countText } from "../../data/wording.ts";
import { COMPOSER_ID } from "./composer.tsx";
import { firstSeqOf, firstUnreadOf, hasLater } from "./conversation.ts";
import { beginsDay, clockText, dayText } from "./days.ts";
import { type Draft, shownDrafts } from "./drafts.ts";
import { Bubble, MessageRow, TextBody } from "./message-row.tsx";
import { outgoingBeside } from "./outbox.ts";
import { OutgoingRow } from "./outgoing-row.tsx";
import { useScrollPlace } from "./scroll-place.ts";
import type { OpenConversation } from "./use-conversation.ts";
import type { Outbox } from "./use-outbox.ts";

export interface MessageListProps {
  readonly conversation: OpenConversation;
  readonly userId: string;
  /** Null: not known yet. */
  readonly session: Session | null;
  readonly outbox: Outbox;
  /** Whether there is a place below to write in. */
  readonly writable: boolean;
}

export function MessageList({ conversation, userId, session, outbox, writable }: MessageListProps) {
  const { following, head, messages } = conversation;
  const later = hasLater(conversation);
  const first = firstSeqOf(conversation);
  const firstUnread = firstUnreadOf(conversation);
  const { box, onScroll } = useScrollPlace({
    following,
    more: later,
    onFollowing: (value) => conversation.tell({ kind: "following", following: value }),
    onNearStart: () => !conversation.stuck && void conversation.earlier(),
    onNearEnd: () => !conversation.stuck && void conversation.later(),
  });
  const unseen = useUnseen(following, head);
  const drafts = later ? [] : shownDrafts(conversation.drafts);
  const outgoing = later ? [] : outgoingBeside(outbox.outgoing, messages);

  return (
    <div class="relative flex min-h-0 flex-1 flex-col">
      {writable && <SkipToComposer />}
      <section
        ref={box}
        role="log"
        aria-label="Messages"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        class="min-h-0 flex-1 overflow-y-auto overscroll-contain -outline-offset-2 [overflow-anchor:none]"
        onScroll={onScroll}
      >
        <div class="space-y-3 px-4 py-3">
          {first > 1 && (
            <div class="flex h-8 items-center justify-center">
              <Button
                size="small"
                tone="quiet"
                busy={conversation.busy === "earlier"}
                onPress={conversation.earlier}
              >
                Earlier messages
              </Button>
            </div>
          )}
          {messages.length === 0 && outgoing.length === 0 && (
            <p class="py-8 text-center text-muted">Nothing was said yet.</p>
          )}
          <Rows messages={messages} firstUnread={firstUnread} userId={userId} />
          {later && (
            <div class="flex h-8 items-center justify-center">
              <Button
                size="small"
                tone="quiet"
                busy={conversation.busy === "later"}
                onPress={conversation.later}
              >
                Later messages
              </Button>
            </div>
          )}
          {drafts.map((draft) => (
            <DraftRow key={draft.dispatchId} draft={draft} />
          ))}
          {!later && drafts.length === 0 && <Failure session={session} />}
          {outgoing.map((out) => (
            <OutgoingRow key={out.key} out={out} outbox={outbox} />
          ))}
        </div>
      </section>
      {!following && (
        <div class="pointer-events-none absolute inset-x-0 bottom-3 flex justify-center">
          <div class="pointer-events-auto rounded-md shadow-lg ring-1 ring-line-strong">
            <Button size="small" tone={unseen > 0 ? "primary" : "plain"} onPress={conversation.newest}>
              {unseen > 0 ? countText(unseen, "new message") : "Newest messages"} ↓
            </Button>
          </div>
        </div>
      )}
    </div>
  );
}

interface RowsProps {
  readonly messages: OpenConversation["messages"];
  readonly firstUnread: number | null;
  readonly userId: string;
}

/**
 * What was drawn is not drawn again for every word that an agent writes. A component that says so, and no elements that
 * are kept: those would keep all that ever stood beside them.
 */
class Rows extends Component<RowsProps> {
  override shouldComponentUpdate({ messages, firstUnread, userId }: RowsProps): boolean {
    const { props } = this;
    return messages !== props.messages || firstUnread !== props.firstUnread || userId !== props.userId;
  }

  override render({ messages, firstUnread, userId }: RowsProps) {
    return messages.map((message, i) => (
      <div key={message.seq} class="space-y-3">
        {beginsDay(message.inserted_at, messages[i - 1]?.inserted_at) && (
          <Separator>{dayText(message.inserted_at, Date.now())}</Separator>
        )}
        {message.seq === firstUnread && <Separator unread>unread</Separator>}
        <MessageRow message={message} own={message.sender_id === userId} />
      </div>
    ));
  }
}

/** Every message has things to press: whoever moves by keyboard need not pass them all. */
function SkipToComposer() {
  return (
    <div class="absolute top-2 left-4 z-10 not-focus-within:sr-only">
      <Button
        size="small"
        tone="primary"
        onPress={() => document.getElementById(COMPOSER_ID)?.querySelector("textarea")?.focus()}
      >
        Skip to writing
      </Button>
    </div>
  );
}

/** Messages that came since the newest was in sight. */
function useUnseen(following: boolean, head: number): number {
  const seen = useRef(head);
  useEffect(() => {
    if (following) seen.current = head;
  }, [following, head]);
  return following ? 0 : Math.max(0, head - seen.current);
}

interface SeparatorProps {
  readonly unread?: boolean;
  readonly children: ComponentChildren;
}

function Separator({ unread = false, children }: SeparatorProps) {
  return (
    <p
      class={`flex items-center gap-3 text-xs font-medium ${unread ? "text-accent" : "text-muted"}`}
      data-first-unread={unread || undefined}
    >
      <span class={`h-px flex-1 ${unread ? "bg-accent" : "bg-line"}`} />
      {children}
      <span class={`h-px flex-1 ${unread ? "bg-accent" : "bg-line"}`} />
    </p>
  );
}

/** Not spoken letter by letter: the whole is, when it is a message. */
function DraftRow({ draft: { agentId, attempt, text } }: { readonly draft: Draft }) {
  return (
    <div aria-live="off" data-draft>
      <Bubble
        own={false}
        passing
        head={
          <>
            <span class="min-w-0 truncate font-medium text-ink">{agentId}</span>
            <span aria-hidden="true" class="size-1.5 animate-pulse self-center rounded-full bg-accent" />
            <span class="shrink-0">is writing{attempt > 1 && `, attempt ${attempt}`}</span>
          </>
        }
      >
        {text === null ? (
          <p class="text-muted italic">The beginning was not heard; the whole will be here.</p>
        ) : (
          <TextBody text={text} />
        )}
      </Bubble>
    </div>
  );
}

/** Why the agent's last answer is missing. */
function Failure({ session }: { readonly session: Session | null }) {
  const failure = session?.dispatch.last_failure ?? null;
  if (session === null || failure === null || session.dispatch.state !== "idle") return null;
  return (
    <p class="text-center text-xs text-bad" data-dispatch-failed>
      {session.agent_id} did not answer: {failure.reason}, {clockText(failure.at)}
    </p>
  );
}
