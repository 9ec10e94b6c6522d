/** @module What a colour means, wherever it stands. */

export type Tone = "good" | "warn" | "bad" | "info" | "plain";

/** Text on its own soft ground. */
export const SOFT: Readonly<Record<Tone, string>> = {
  good: "bg-good-soft text-good",
  warn: "bg-warn-soft text-warn",
  bad: "bg-bad-soft text-bad",
  info: "bg-accent-soft text-accent",
  plain: "bg-raised text-muted",
};

/** A filled dot. */
export const DOT: Readonly<Record<Tone, string>> = {
  good: "bg-good",
  warn: "bg-warn",
  bad: "bg-bad",
  info: "bg-accent",
  plain: "bg-line-strong",
};
