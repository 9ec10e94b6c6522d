/** @module Bootstrap hosts for several nodes, one after the other, undone where one of them fails. */
import { useState } from "preact/hooks";
import type { ClusterUpdate } from "../../../services/corrosion/contract.ts";
import { Button } from "../../components/button.tsx";
import { Card } from "../../components/card.tsx";
import { Select } from "../../components/field.tsx";
import { Notice } from "../../components/notice.tsx";
import { api } from "../../data/api.ts";
import { sentenceOf } from "../../data/api-error.ts";
import { dataOf, errorOf } from "../../data/resource.ts";
import { toast } from "../../data/toasts.ts";
import { useResource } from "../../data/use-resource.ts";
import { countText } from "../../data/wording.ts";
import { useFleet } from "../../fleet/use-fleet.ts";
import { confirmed } from "../../shell/confirm.tsx";
import { HostsField } from "./hosts-field.tsx";
import { isUpdateOver, type UpdateAnswer, updateOf, words } from "./job-steps.ts";
import { type ConfigsAnswer, NodeConfigs } from "./node-configs.tsx";
import { type Targets, targetsOf } from "./targets.ts";
import { UpdateProgress } from "./update-progress.tsx";
import { useHosts } from "./use-hosts.ts";
import { type Ending, useOutcome } from "./use-outcome.ts";

const POLL_MS = 15_000;
const CONFIGS_POLL_MS = 10_000;
/** Every node is asked whether it takes part before the answer comes. */
const START_LIMIT_MS = 30_000;

export interface ClusterCardProps {
  /** Hosts of this node, as a beginning; null: not known yet. */
  readonly current: readonly string[] | null;
}

export function ClusterCard({ current }: ClusterCardProps) {
  const status = useResource<UpdateAnswer>("/api/config/cluster", {
    topics: ["cluster_config_coordination"],
    pollMs: POLL_MS,
    // The one event of the topic.
    apply: (_, { data }) => data as ClusterUpdate,
  });
  const configs = useResource<ConfigsAnswer>("/api/config/nodes", {
    topics: ["cluster_config_coordination"],
    pollMs: CONFIGS_POLL_MS,
  });
  const fleet = useFleet();
  const nodes = dataOf(fleet)?.nodes ?? null;
  const rows = dataOf(configs)?.node_configs ?? [];
  const targets = targetsOf(
    nodes ?? [],
    rows.map(({ node_id }) => node_id),
  );
  const update = updateOf(dataOf(status));
  const follow = useOutcome(endingOf(update));
  const busy = update !== null && !isUpdateOver(update);
  const unknown = nodes === null ? errorOf(fleet) : null;
  const problem = errorOf(status);

  function started(begun: { readonly update_id: string }): void {
    follow(begun.update_id);
    void status.refetch();
  }

  return (
    <Card title="Cluster bootstrap">
      <div class="space-y-4">
        {unknown !== null && <Notice tone="bad">{sentenceOf(unknown)}</Notice>}
        <UpdateForm current={current ?? []} targets={targets} busy={busy} onStarted={started} />
        {problem !== null && (
          <Notice
            tone={status.kind === "stale" ? "warn" : "bad"}
            action={
              <Button size="small" busy={status.busy} onPress={status.reload}>
                Retry
              </Button>
            }
          >
            {sentenceOf(problem)}
          </Notice>
        )}
        {update === null ? (
          status.kind === "ok" && (
            <p class="text-muted">No cluster update has run since the nodes were started.</p>
          )
        ) : (
          <UpdateProgress update={update} />
        )}
        <NodeConfigs configs={configs} />
      </div>
    </Card>
  );
}

interface UpdateFormProps {
  readonly current: readonly string[];
  readonly targets: Targets;
  readonly busy: boolean;
  readonly onStarted: (begun: { readonly update_id: string }) => void;
}

function UpdateForm({ current, targets: { away, present }, busy, onStarted }: UpdateFormProps) {
  const hosts = useHosts(current);
  const [wanted, setWanted] = useState("");
  const single = present.includes(wanted) ? wanted : (present[0] ?? "");
  const [asking, setAsking] = useState(false);
  const locked = busy || asking || present.length === 0;

  async function update(nodeIds: readonly string[]): Promise<void> {
    if (!hosts.check()) return;
    const left =
      nodeIds.length > 1 && away.length > 0 ? ` Not connected, and left out: ${away.join(", ")}.` : "";
    const question = {
      title: nodeIds.length === 1 ? `Update ${nodeIds[0]}?` : `Update ${countText(nodeIds.length, "node")}?`,
      text: `New hosts: ${hosts.text.trim() || "none"}. The agents restart one after the other; a failure takes everything back.${left}`,
      action: nodeIds.length === 1 ? "Update node" : "Update all nodes",
    };
    if (!(await confirmed(question))) return;
    setAsking(true);
    const begun = await hosts.submit(
      (list) => startUpdate({ hosts: list, node_ids: nodeIds }),
      "The cluster update was not started",
    );
    setAsking(false);
    if (begun === null) return;
    toast.success("The cluster update has begun.");
    onStarted(begun);
  }

  return (
    <div class="space-y-3">
      <HostsField value={hosts.text} onChange={hosts.change} problems={hosts.problems} disabled={false} />
      <div class="flex flex-wrap items-end gap-2">
        <Button tone="primary" busy={busy || asking} disabled={locked} onPress={() => update(present)}>
          Update All Nodes
        </Button>
        <div class="ml-auto flex min-w-0 flex-wrap items-end gap-2">
          <div class="w-44 min-w-0">
            <Select
              label="Node"
              value={single}
              options={
                present.length === 0 ? [["", "no node known"]] : present.map((id) => [id, id] as const)
              }
              disabled={locked}
              onChange={setWanted}
            />
          </div>
          <Button disabled={locked} onPress={() => update([single])}>
            Update Single Node
          </Button>
        </div>
      </div>
      {away.length > 0 && (
        <p class="text-xs text-warn">Not connected, and out of reach of an update: {away.join(", ")}</p>
      )}
    </div>
  );
}

function startUpdate(body: object): Promise<{ readonly update_id: string }> {
  return api("/api/config/cluster", { method: "POST", body, timeoutMs: START_LIMIT_MS });
}

function endingOf(update: ClusterUpdate | null): Ending | null {
  if (update === null || !isUpdateOver(update)) return null;
  const ok = update.state === "succeeded";
  const why = update.nodes.find(({ status, message }) => status === "failed" && message !== null)?.message;
  const text = ok
    ? `The cluster update succeeded on ${countText(update.nodes.length, "node")}.`
    : `The cluster update ended ${words(update.state)}${why ? `: ${why}` : "."}`;
  return { id: update.update_id, ok, text };
}
