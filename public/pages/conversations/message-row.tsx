/** @module One message: who wrote it, when, as which of the session, and what it says. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Message } from "../../../services/conversations/contract.ts";
import { Button } from "../../components/button.tsx";
import { classes } from "../../components/classes.ts";
import { Copy, copyText } from "../../components/copy.tsx";
import { clockText } from "./days.ts";
import { type Block, beginning, blocksOf, textBlocks, wholeText } from "./message-blocks.ts";

/** Characters that are shown before somebody asks for more. */
const SHOWN = 2000;

export interface MessageRowProps {
  readonly message: Message;
  readonly own: boolean;
}

export function MessageRow({ message, own }: MessageRowProps) {
  const { id, inserted_at, kind, sender_id, seq } = message;
  const blocks = blocksOf(message);
  return (
    // A row is nobody else's business: what comes beside it costs a third less.
    <article data-seq={seq} class="group contain-content">
      <Bubble
        own={own}
        head={
          <>
            <span class="min-w-0 truncate font-medium text-ink" title={sender_id}>
              {sender_id}
            </span>
            {/* What is the rule is not said. */}
            {kind !== (own ? "text" : "assistant") && kind !== "text" && <span>{kind}</span>}
            <time dateTime={inserted_at} title={inserted_at} class="tabular-nums">
              {clockText(inserted_at)}
            </time>
            <span class="tabular-nums">#{seq}</span>
            <span
              class={classes(
                "inline-flex gap-2 opacity-0 transition-opacity group-focus-within:opacity-100 group-hover:opacity-100 pointer-coarse:opacity-100",
                own && "order-first",
              )}
            >
              <Copy text={id} what="message id" shown="id" />
              <button
                type="button"
                class="rounded underline decoration-transparent decoration-dotted underline-offset-2 transition-colors hover:decoration-line-strong"
                aria-label={`Copy the text of message ${seq}`}
                onClick={() => copyText(wholeText(blocks), "text")}
              >
                text
              </button>
            </span>
          </>
        }
      >
        <MessageBody blocks={blocks} />
      </Bubble>
    </article>
  );
}

export interface BubbleProps {
  readonly own: boolean;
  /** Not stored, or not whole, yet. */
  readonly passing?: boolean;
  readonly head: ComponentChildren;
  readonly children: ComponentChildren;
  /** Below it. */
  readonly foot?: ComponentChildren;
}

/** What the user says stands at the right, what agents say at the left. */
export function Bubble({ own, passing = false, head, children, foot }: BubbleProps) {
  return (
    <div
      class={classes("flex max-w-[92%] flex-col sm:max-w-[80%]", own ? "ml-auto items-end" : "items-start")}
    >
      <div class="mb-0.5 flex max-w-full items-baseline gap-x-2 text-xs text-muted">{head}</div>
      <div
        class={classes(
          "max-w-full rounded-xl border px-3 py-1.5 text-sm",
          own ? "rounded-tr-sm bg-accent-soft" : "rounded-tl-sm bg-raised",
          passing ? "border-dashed border-line-strong" : "border-transparent",
        )}
      >
        {children}
      </div>
      {foot}
    </div>
  );
}

/** What is being written, or on its way: text so far. */
export function TextBody({ text }: { readonly text: string }) {
  return <MessageBody blocks={textBlocks(text)} />;
}

function MessageBody({ blocks }: { readonly blocks: readonly Block[] }) {
  const [whole, setWhole] = useState(false);
  const { blocks: first, length } = beginning(blocks, SHOWN);
  if (length === 0) return <p class="text-muted italic">empty</p>;
  return (
    <div class="space-y-2">
      {(whole ? blocks : first).map((block, i) => (
        <BlockView key={i} block={block} />
      ))}
      {length > SHOWN && (
        <Button size="small" onPress={() => setWhole(!whole)}>
          {whole ? "Show less" : `Show all ${length.toLocaleString("en")} characters`}
        </Button>
      )}
    </div>
  );
}

function BlockView({ block }: { readonly block: Block }) {
  switch (block.kind) {
    case "text":
      return <p class="wrap-anywhere whitespace-pre-wrap">{block.text}</p>;
    case "reasoning":
      return (
        <p class="border-l-2 border-line-strong pl-2 text-xs wrap-anywhere whitespace-pre-wrap text-muted">
          {block.text}
        </p>
      );
    case "code":
      return <Code label="Code" text={block.text} />;
    case "data":
      return (
        <div>
          {block.label !== null && <p class="mb-0.5 font-mono text-xs text-muted">{block.label}</p>}
          <Code label={block.label ?? "Data"} text={block.text} />
        </div>
      );
  }
}

function Code({ label, text }: { readonly label: string; readonly text: string }) {
  return (
    <section
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      class="max-h-96 overflow-auto rounded-md border border-line bg-surface px-2.5 py-1.5"
    >
      <pre class="font-mono text-xs">{text}</pre>
    </section>
  );
}
