/** @module How far a cluster update is, node by node. */
import type { ClusterUpdate } from "../../../services/corrosion/contract.ts";
import { Age } from "../../components/age.tsx";
import { Badge } from "../../components/badge.tsx";
import { Spinner } from "../../components/spinner.tsx";
import { countText } from "../../data/wording.ts";
import { NODE_TONES, UPDATE_TONES, words } from "./job-steps.ts";

export function UpdateProgress({ update }: { readonly update: ClusterUpdate }) {
  return (
    <div data-update={update.state}>
      <h3 class="mb-1 flex flex-wrap items-center gap-2 text-xs font-semibold">
        Cluster update
        <Badge tone={UPDATE_TONES[update.state]}>{words(update.state)}</Badge>
        <span class="font-normal text-muted tabular-nums">
          {update.nodes.filter(({ status }) => status === "ready").length} of{" "}
          {countText(update.nodes.length, "node")} ready, led by {update.initiator}
        </span>
      </h3>
      <p class="mb-2 text-xs break-words text-muted">
        Hosts: <span class="font-mono">{update.hosts.length === 0 ? "none" : update.hosts.join(", ")}</span>
      </p>
      <ol
        aria-label="Nodes of the update"
        class="max-h-72 divide-y divide-line/70 overflow-y-auto rounded-md border border-line"
      >
        {update.nodes.map(({ message, node_id, status, timestamp }) => (
          <li key={node_id} data-node={node_id} class="px-3 py-1.5">
            <div class="flex min-h-6 flex-wrap items-center gap-2">
              <span class="font-mono text-xs">{node_id}</span>
              <Badge tone={NODE_TONES[status]}>{words(status)}</Badge>
              {(status === "applying" || status === "restarting") && <Spinner />}
              <span class="ml-auto text-xs text-muted">
                <Age at={timestamp} />
              </span>
            </div>
            {message !== null && <p class="text-xs break-words text-muted">{message}</p>}
          </li>
        ))}
      </ol>
    </div>
  );
}
