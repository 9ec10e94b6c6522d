/** @module A card of one source: its age, its own Refresh button, and how a refresh went. */
import type { ComponentChildren } from "preact";
import { Badge } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { tell } from "../../data/toasts.ts";
import type { Source } from "./use-source.ts";

export interface SourceCardProps<Data> {
  readonly source: Source<Data>;
  readonly title: string;
  readonly count: (data: Data) => number;
  readonly empty: (data: Data) => string | null;
  readonly note?: ComponentChildren;
  readonly lines?: number;
  readonly children: (data: Data) => ComponentChildren;
}

export function SourceCard<Data>({
  source,
  title,
  count,
  empty,
  note,
  lines = 4,
  children,
}: SourceCardProps<Data>) {
  const { resource } = source;
  const known = resource.kind === "ok" || resource.kind === "stale" ? resource.data : null;
  return (
    <ResourceCard
      title={title}
      flush
      lines={lines}
      resource={resource}
      at={({ last_updated }) => last_updated}
      empty={(answer) => emptyText(answer, empty)}
      note={
        known && (
          <span class="flex items-center gap-2">
            <Badge tone={source.problem === null ? "plain" : "bad"}>
              {known.last_updated === null ? "?" : count(known.data)}
            </Badge>
            {known.error !== null && <Badge tone="warn">stale</Badge>}
            {note}
          </span>
        )
      }
      actions={
        <Button
          size="small"
          label={`Refresh ${title}`}
          onPress={() =>
            tell(source.refresh, {
              done: `${source.title} is fresh.`,
              failed: `${source.title} could not be refreshed`,
            })
          }
        >
          Refresh
        </Button>
      }
    >
      {({ data }) => children(data)}
    </ResourceCard>
  );
}

/** Without an answer ever, an empty list says nothing. */
function emptyText<Data>(
  answer: { readonly data: Data; readonly last_updated: string | null; readonly error: string | null },
  empty: (data: Data) => string | null,
): string | null {
  if (answer.last_updated !== null) return empty(answer.data);
  return answer.error === null
    ? "Being asked for the first time …"
    : "Nothing is known yet: the first look failed.";
}
