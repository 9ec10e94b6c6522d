/** @module What was said: the newest at the bottom, where the list stays unless somebody scrolls up. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Message } from "../../../services/conversations/contract.ts";
import { Button } from "../../components/button.tsx";
import { classes } from "../../components/classes.ts";
import { countText, timeText } from "../../data/wording.ts";
import { type Conversation, KEPT, lastSeqOf } from "./conversation.ts";
import { type Draft, shownDrafts } from "./drafts.ts";
import { messageText } from "./message-text.ts";

export interface MessageListProps {
  readonly conversation: Conversation;
  readonly userId: string;
  /** Seq of the first that the user has not read; null: all are read. */
  readonly firstUnread: number | null;
  readonly onEarlier: () => Promise<void>;
}

/** Pixels from the bottom that still count as being there. */
const NEAR = 24;

export function MessageList({ conversation, userId, firstUnread, onEarlier }: MessageListProps) {
  const { messages, hasEarlier } = conversation;
  const drafts = shownDrafts(conversation.drafts);
  const written = drafts.reduce((sum, { text }) => sum + (text?.length ?? 1), 0);
  const box = useRef<HTMLElement>(null);
  const below = useRef(true);
  const before = useRef({ height: 0, first: 0 });
  const [seenSeq, setSeenSeq] = useState(0);
  const last = lastSeqOf(conversation);
  const first = messages[0]?.seq ?? 0;

  useLayoutEffect(() => {
    const scroller = box.current;
    if (scroller === null) return;
    const { height, first: firstBefore } = before.current;
    if (below.current) {
      scroller.scrollTop = scroller.scrollHeight;
      setSeenSeq(last);
    } else if (first < firstBefore && scroller.scrollTop === 0) {
      // At its very top the browser does not hold what is read in its place.
      scroller.scrollTop = scroller.scrollHeight - height;
    }
    before.current = { height: scroller.scrollHeight, first };
  }, [first, last, written]);

  function look(): void {
    const scroller = box.current;
    if (scroller === null) return;
    below.current = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
    if (below.current) setSeenSeq(last);
  }

  function toBottom(): void {
    const scroller = box.current;
    if (scroller !== null) scroller.scrollTop = scroller.scrollHeight;
  }

  async function earlier(): Promise<void> {
    below.current = false;
    await onEarlier();
  }

  const unseen = messages.filter(({ seq }) => seq > seenSeq).length;
  return (
    <div class="relative">
      <section
        ref={box}
        role="log"
        aria-label="Messages"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        class="h-112 space-y-2 overflow-y-auto overscroll-contain px-4 py-3"
        onScroll={look}
      >
        {hasEarlier &&
          (messages.length < KEPT ? (
            <div class="text-center">
              <Button size="small" tone="quiet" onPress={earlier}>
                Earlier messages
              </Button>
            </div>
          ) : (
            <p class="text-center text-xs text-muted">The newest {countText(KEPT, "message")} are shown.</p>
          ))}
        {messages.length === 0 && <p class="text-muted">Nothing was said yet.</p>}
        {messages.map((message) => (
          <MessageRow
            key={message.seq}
            message={message}
            own={message.sender_id === userId}
            firstUnread={message.seq === firstUnread}
          />
        ))}
        {drafts.map((draft) => (
          <DraftRow key={draft.dispatchId} draft={draft} />
        ))}
      </section>
      {unseen > 0 && (
        <div class="pointer-events-none absolute inset-x-0 bottom-2 flex justify-center">
          <div class="pointer-events-auto">
            <Button size="small" tone="primary" onPress={toBottom}>
              {countText(unseen, "new message")} ↓
            </Button>
          </div>
        </div>
      )}
    </div>
  );
}

interface MessageRowProps {
  readonly message: Message;
  readonly own: boolean;
  readonly firstUnread: boolean;
}

function MessageRow({ message, own, firstUnread }: MessageRowProps) {
  return (
    <>
      {firstUnread && (
        <p class="flex items-center gap-2 text-xs font-medium text-accent" data-first-unread>
          <span class="h-px flex-1 bg-line-strong" />
          unread
          <span class="h-px flex-1 bg-line-strong" />
        </p>
      )}
      <article
        data-seq={message.seq}
        class={classes("flex max-w-[85%] flex-col", own ? "ml-auto items-end" : "items-start")}
      >
        <p class="mb-0.5 flex flex-wrap gap-x-2 text-xs text-muted">
          <span class="font-medium">{message.sender_id}</span>
          {message.kind !== "text" && <span>{message.kind}</span>}
          <time dateTime={message.inserted_at} class="tabular-nums">
            {timeText(message.inserted_at)}
          </time>
          <span class="tabular-nums">#{message.seq}</span>
        </p>
        <div
          class={classes(
            "max-w-full rounded-lg px-3 py-1.5 text-sm break-words whitespace-pre-wrap",
            own ? "bg-accent-soft" : "bg-raised",
          )}
        >
          {messageText(message)}
        </div>
      </article>
    </>
  );
}

/** Not spoken letter by letter: the whole is, when it is a message. */
function DraftRow({ draft: { agentId, attempt, text } }: { readonly draft: Draft }) {
  return (
    <article class="flex max-w-[85%] flex-col items-start" aria-live="off" data-draft>
      <p class="mb-0.5 text-xs text-muted">
        <span class="font-medium">{agentId}</span> is writing…{attempt > 1 && ` (attempt ${attempt})`}
      </p>
      {text !== null && (
        <div class="max-w-full rounded-lg border border-dashed border-line-strong px-3 py-1.5 text-sm break-words whitespace-pre-wrap">
          {text}
        </div>
      )}
    </article>
  );
}
