/** @module How this node's own acknowledgements go. */
import type { Receptions } from "../../../services/acks/contract.ts";
import { Badge } from "../../components/badge.tsx";
import type { Tone } from "../../components/tone.ts";
import { sentenceOf } from "../../data/api-error.ts";
import { dataOf, type Resource } from "../../data/resource.ts";
import { type SenderState, senderState } from "./sender.ts";

const TONES: Readonly<Record<SenderState["kind"], Tone>> = {
  idle: "good",
  delivering: "info",
  failing: "bad",
};

export interface SenderLineProps {
  readonly receptions: Resource<Receptions>;
  readonly own: string;
}

export function SenderLine({ receptions, own }: SenderLineProps) {
  const known = dataOf(receptions);
  const state = known === null ? null : senderState(known.receptions, own);
  return (
    <div class="border-t border-line px-4 py-3 text-xs" data-sender={state?.kind ?? "unknown"}>
      <div class="flex min-h-5 flex-wrap items-center gap-x-3 gap-y-1">
        <span class="text-muted">Sender of this node's acks</span>
        {state === null ? (
          <Badge>{receptions.kind === "error" ? "unknown" : "asking…"}</Badge>
        ) : (
          <>
            <Badge tone={TONES[state.kind]}>{state.kind}</Badge>
            <span class="tabular-nums">
              {state.pending} waiting · {state.acked} acked · {state.failed} failed
            </span>
          </>
        )}
      </div>
      {state !== null && state.lastError !== null && (
        <p class="mt-1 break-words text-bad">{sentenceOf(state.lastError)}</p>
      )}
    </div>
  );
}
