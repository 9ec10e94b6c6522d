/** @module Cells that several tables of the page have. */
import { Badge } from "../../components/badge.tsx";
import { Copy } from "../../components/copy.tsx";
import { NodeName, Unknown } from "../../components/node-name.tsx";
import type { Tone } from "../../components/tone.ts";

export { NodeName, Unknown };

const STATE_TONES: Readonly<Record<string, Tone>> = {
  Alive: "good",
  Suspect: "warn",
  Down: "bad",
  self: "info",
};

export function StateBadge({ state }: { readonly state: string | null }) {
  return state === null ? <Unknown /> : <Badge tone={STATE_TONES[state] ?? "plain"}>{state}</Badge>;
}

/** The beginning of an actor's id; the whole of it is copied. */
export function ActorId({ id }: { readonly id: string }) {
  return <Copy text={id} what="actor id" shown={id.length > 13 ? `${id.slice(0, 8)}…` : id} />;
}
