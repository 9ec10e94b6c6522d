/** @module A node of a run by its name, with the colour and shape that it has in the charts. */
import { NodeName } from "../../../components/node-name.tsx";
import type { NodeLooks } from "./lines.ts";
import { Swatch } from "./swatch.tsx";

export function RunNode({ id, looks }: { readonly id: string; readonly looks: NodeLooks }) {
  const look = looks.get(id);
  return (
    <span class="inline-flex items-center gap-2">
      {look !== undefined && <Swatch {...look} />}
      <NodeName id={id} />
    </span>
  );
}
