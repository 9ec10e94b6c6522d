/** @module A number that is seen from afar, with a line on what it means, and the way to the page that tells more. */
import type { ComponentChildren } from "preact";
import { classes } from "../components/classes.ts";
import type { Tone } from "../components/tone.ts";

export interface FigureProps {
  readonly title: string;
  readonly value: ComponentChildren;
  /** Colours what needs somebody; the words say it too. */
  readonly tone?: Extract<Tone, "plain" | "warn" | "bad">;
  /** A page of the dashboard; the whole tile leads there. */
  readonly href?: string;
  readonly children: ComponentChildren;
}

const GROUNDS = {
  plain: "border-line bg-surface",
  warn: "border-warn bg-warn-soft",
  bad: "border-bad bg-bad-soft",
} as const;
const VALUES = { plain: "", warn: "text-warn", bad: "text-bad" } as const;

export function Figure({ title, value, tone = "plain", href, children }: FigureProps) {
  return (
    <div
      class={classes(
        "relative min-w-0 rounded-lg border px-4 py-3 transition-colors duration-300",
        GROUNDS[tone],
        href !== undefined && tone === "plain" && "hover:border-line-strong",
      )}
      data-figure={title}
      data-tone={tone}
    >
      <h2 class="text-xs font-medium text-muted">
        {href === undefined ? (
          title
        ) : (
          <a class="rounded-lg after:absolute after:inset-0" href={href}>
            {title}
            <span aria-hidden="true" class="float-right">
              →
            </span>
          </a>
        )}
      </h2>
      <p class={classes("mt-1 truncate text-2xl font-semibold tracking-tight tabular-nums", VALUES[tone])}>
        {value}
      </p>
      <p class="mt-0.5 line-clamp-2 min-h-8 text-xs break-words text-muted">{children}</p>
    </div>
  );
}
