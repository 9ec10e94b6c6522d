/** @module Cells that several tables of the page have. */
import { Badge } from "../../components/badge.tsx";
import { Copy } from "../../components/copy.tsx";
import type { Tone } from "../../components/tone.ts";
import { nodeFacts } from "../../shell/node-facts.ts";

const STATE_TONES: Readonly<Record<string, Tone>> = {
  Alive: "good",
  Suspect: "warn",
  Down: "bad",
  self: "info",
};

export function StateBadge({ state }: { readonly state: string | null }) {
  return state === null ? <Unknown /> : <Badge tone={STATE_TONES[state] ?? "plain"}>{state}</Badge>;
}

export function Unknown() {
  return <span class="text-muted">–</span>;
}

/** The node's name, marked when it is the one whose page this is. */
export function NodeName({ id }: { readonly id: string | null }) {
  if (id === null) return <Unknown />;
  return (
    <span class="inline-flex items-center gap-2">
      <span class="font-mono text-xs">{id}</span>
      {id === nodeFacts.value?.node_id && <Badge tone="info">Local</Badge>}
    </span>
  );
}

/** The beginning of an actor's id; the whole of it is copied. */
export function ActorId({ id }: { readonly id: string }) {
  return <Copy text={id} what="actor id" shown={id.length > 13 ? `${id.slice(0, 8)}…` : id} />;
}
