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

export interface AckSummaryProps {
  readonly progress: Progress | null;
  /** Null: nothing is tracked. */
  readonly state: ItemState | null;
}

/** The count and the state side by side; nothing before the first answer. */
export function AckSummary({ progress, state }: AckSummaryProps) {
  if (progress === null) return null;
  return (
    <span class="inline-flex items-center gap-2">
      <AckCount progress={progress} />
      <AckStateBadge state={state} />
    </span>
  );
}

function AckStateBadge({ state }: { readonly state: ItemState | null }) {
  const [tone, word] = state === null ? (["plain", "ready"] as const) : STATES[state];
  return <Badge tone={tone}>{word}</Badge>;
}

/** `2/3 acks`: green when all are there, amber when some are, dim when none is. */
function AckCount({ progress }: { readonly progress: Progress }) {
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
