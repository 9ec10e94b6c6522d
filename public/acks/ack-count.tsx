/** @module How many of the expected nodes acknowledged, and the state of the message in a word. */
import type { ItemState } from "../../services/acks/contract.ts";
import { Badge } from "../components/badge.tsx";
import { classes } from "../components/classes.ts";
import type { Tone } from "../components/tone.ts";
import type { Progress } from "./progress.ts";

const STATES: Readonly<Record<ItemState, readonly [tone: Tone, word: string]>> = {
  pending: ["info", "waiting"],
  complete: ["good", "complete"],
  partial: ["warn", "partial"],
  unacked: ["bad", "unacked"],
};

const TEXT: Readonly<Record<Progress["tone"], string>> = {
  good: "text-good",
  warn: "text-warn",
  plain: "text-muted",
};

/** `state` null: nothing is tracked. */
export function AckStateBadge({ state }: { readonly state: ItemState | null }) {
  const [tone, word] = state === null ? (["plain", "ready"] as const) : STATES[state];
  return <Badge tone={tone}>{word}</Badge>;
}

/** `2/3 acks`: green when all are there, amber when some are, dim when none is. */
export function AckCount({ progress }: { readonly progress: Progress }) {
  const { acked, expected, tone } = progress;
  return (
    <span
      class={classes("font-semibold tabular-nums transition-colors duration-300", TEXT[tone])}
      data-acks={tone}
    >
      {acked}/{expected} acks
    </span>
  );
}
