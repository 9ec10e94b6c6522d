/** @module A sentence that a person must not miss, with what can be done about it. */
import type { ComponentChildren } from "preact";
import { classes } from "./classes.ts";
import { SOFT, type Tone } from "./tone.ts";

export interface NoticeProps {
  readonly tone: Tone;
  readonly children: ComponentChildren;
  /** A button, at its end. */
  readonly action?: ComponentChildren;
}

export function Notice({ tone, children, action }: NoticeProps) {
  return (
    <div
      role={tone === "bad" ? "alert" : "status"}
      class={classes("flex flex-wrap items-center gap-x-3 gap-y-2 rounded-lg px-3 py-2 text-sm", SOFT[tone])}
    >
      <div class="min-w-0 flex-1 basis-48 break-words">{children}</div>
      {action}
    </div>
  );
}
