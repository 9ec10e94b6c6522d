/** @module A card: a part of a page that loads, fails and ages by itself. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { sentenceOf } from "../data/api-error.ts";
import type { Resource } from "../data/resource.ts";
import { Age } from "./age.tsx";
import { Badge } from "./badge.tsx";
import { Button } from "./button.tsx";
import { classes } from "./classes.ts";
import { Notice } from "./notice.tsx";

export interface CardProps {
  readonly title: string;
  /** Behind the title: a count, a state. */
  readonly note?: ComponentChildren;
  /** Buttons at its right. */
  readonly actions?: ComponentChildren;
  /** Without a margin inside, for tables and maps. */
  readonly flush?: boolean;
  /** As high as its place, at most: what it holds scrolls inside. */
  readonly fill?: boolean;
  readonly children: ComponentChildren;
}

export function Card({ title, note, actions, flush = false, fill = false, children }: CardProps) {
  const id = useId();
  return (
    <section
      aria-labelledby={id}
      class={classes(
        "flex min-w-0 flex-col overflow-hidden rounded-lg border border-line bg-surface",
        fill && "max-h-full min-h-0",
      )}
    >
      <header class="flex min-h-11 flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-4 py-1.5">
        <h2 id={id} class="line-clamp-2 max-w-full min-w-0 text-sm font-semibold wrap-anywhere">
          {title}
        </h2>
        {note !== undefined && <div class="text-xs text-muted">{note}</div>}
        {actions !== undefined && <div class="ml-auto flex flex-wrap items-center gap-2">{actions}</div>}
      </header>
      <div class={classes("min-w-0 flex-1", !flush && "p-4", fill && "flex min-h-0 flex-col")}>
        {children}
      </div>
    </section>
  );
}

export interface ResourceCardProps<T> extends Omit<CardProps, "children"> {
  readonly resource: Resource<T>;
  /** The sentence instead of content when there is nothing to show; null: there is something. */
  readonly empty?: (data: T) => string | null;
  /** When the data were made, where they say so; default: when they arrived. */
  readonly at?: (data: T) => string | null;
  /** Lines of the skeleton; about as many as there will be, so that nothing jumps. */
  readonly lines?: number;
  readonly children: (data: T) => ComponentChildren;
}

/** A card of a resource: skeleton, error with Retry, stale with its age, empty text, or what `children` makes of the data. */
export function ResourceCard<T>({
  resource,
  empty,
  at,
  lines = 3,
  children,
  note,
  ...card
}: ResourceCardProps<T>) {
  return (
    <Card {...card} note={<ResourceNote resource={resource} at={at} note={note} />}>
      <ResourceBody resource={resource} empty={empty} lines={lines} flush={card.flush === true}>
        {children}
      </ResourceBody>
    </Card>
  );
}

function ResourceNote<T>({ resource, at, note }: Pick<ResourceCardProps<T>, "resource" | "at" | "note">) {
  if (resource.kind !== "ok" && resource.kind !== "stale") return <>{note}</>;
  const made = at === undefined ? resource.at : at(resource.data);
  return (
    <span class="flex flex-wrap items-center gap-x-2">
      {note}
      {resource.kind === "stale" && <Badge tone="warn">stale</Badge>}
      {made !== null && <Age at={made} before="updated" />}
    </span>
  );
}

interface BodyProps<T> {
  readonly resource: Resource<T>;
  readonly empty: ((data: T) => string | null) | undefined;
  readonly lines: number;
  readonly flush: boolean;
  readonly children: (data: T) => ComponentChildren;
}

function ResourceBody<T>({ resource, empty, lines, flush, children }: BodyProps<T>) {
  const margin = flush ? "p-4" : "";
  if (resource.kind === "loading") {
    return (
      <div class={margin}>
        <Skeleton lines={lines} />
      </div>
    );
  }
  const retry = (
    <Button size="small" busy={resource.busy} onPress={resource.reload}>
      Retry
    </Button>
  );
  if (resource.kind === "error") {
    return (
      <div class={margin}>
        <Notice tone="bad" action={retry}>
          {sentenceOf(resource.error)}
        </Notice>
      </div>
    );
  }
  const nothing = empty?.(resource.data) ?? null;
  return (
    <>
      {resource.kind === "stale" && (
        <div class={flush ? "px-4 pt-3 pb-1" : "mb-3"}>
          <Notice tone="warn" action={retry}>
            {sentenceOf(resource.error)}
          </Notice>
        </div>
      )}
      {nothing === null ? children(resource.data) : <p class={classes("text-muted", margin)}>{nothing}</p>}
    </>
  );
}

const WIDTHS = ["w-11/12", "w-3/4", "w-5/6", "w-2/3"];

export function Skeleton({ lines }: { readonly lines: number }) {
  return (
    <div role="status" aria-label="Loading" class="animate-pulse space-y-3 motion-reduce:animate-none">
      {Array.from({ length: lines }, (_, i) => (
        <div key={i} class={classes("h-4 rounded bg-raised", WIDTHS[i % WIDTHS.length])} />
      ))}
    </div>
  );
}
