/** @module A word with a colour, and a lamp with a word: never a colour alone. */
import type { ComponentChildren } from "preact";
import { classes } from "./classes.ts";
import { DOT, SOFT, type Tone } from "./tone.ts";

export interface BadgeProps {
  readonly tone?: Tone;
  readonly title?: string;
  readonly children: ComponentChildren;
}

export function Badge({ tone = "plain", title, children }: BadgeProps) {
  return (
    <span
      class={classes(
        "inline-flex items-center rounded-full px-2 py-0.5 text-xs font-medium whitespace-nowrap transition-colors duration-300",
        SOFT[tone],
      )}
      title={title}
    >
      {children}
    </span>
  );
}

export interface LampProps {
  readonly tone: Tone;
  /** What is lit, e.g. `Agent`. */
  readonly label: string;
  /** Its state in a word, e.g. `running`. */
  readonly state: string;
  readonly title?: string;
}

export function Lamp({ tone, label, state, title }: LampProps) {
  return (
    <span
      class="inline-flex items-center gap-1.5 text-xs whitespace-nowrap"
      title={title}
      data-lamp={label.toLowerCase()}
    >
      <span
        aria-hidden="true"
        class={classes(
          "size-2 rounded-full transition-colors duration-300",
          DOT[tone],
          (tone === "warn" || tone === "bad") && "animate-pulse motion-reduce:animate-none",
        )}
      />
      <span class="text-muted">{label}</span>
      <span class="font-medium">{state}</span>
    </span>
  );
}
