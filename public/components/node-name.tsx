/** @module A node by its name, and what stands where there is nothing to say. */
import { nodeFacts } from "../shell/node-facts.ts";
import { Badge } from "./badge.tsx";

export function Unknown() {
  return <span class="text-muted">–</span>;
}

/** The node's name, marked when it is the one whose page this is. */
export function NodeName({ id }: { readonly id: string | null }) {
  if (id === null) return <Unknown />;
  return (
    <span class="inline-flex max-w-full items-center gap-2">
      <span class="max-w-64 truncate font-mono text-xs" title={id}>
        {id}
      </span>
      {id === nodeFacts.value?.node_id && <Badge tone="info">Local</Badge>}
    </span>
  );
}
