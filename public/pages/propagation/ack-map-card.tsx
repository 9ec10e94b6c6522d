/** @module The map: who is waited for, who has acknowledged, and who is overdue. */
import { useMemo } from "preact/hooks";
import { AckSummary } from "../../acks/ack-count.tsx";
import { ackMapNodes, countKind } from "../../acks/ack-map.ts";
import type { Acks } from "../../acks/use-acks.ts";
import { Badge } from "../../components/badge.tsx";
import { Card } from "../../components/card.tsx";
import { dataOf, errorOf } from "../../data/resource.ts";
import type { MembersAnswer } from "../../data/sourced.ts";
import { useResource } from "../../data/use-resource.ts";
import { MARKER_KINDS } from "../../map/markers.ts";
import { WorldMap } from "../../map/world-map.tsx";
import { nodeFacts } from "../../shell/node-facts.ts";
import { isActive } from "../cluster/map-nodes.ts";

const POLL_MS = 15_000;
/** Members that a message waits for are grey here, and no longer blue. */
const LABELS = { active: "Active, not awaited" };

export function AckMapCard({ acks: { resource, dns, progress } }: { readonly acks: Acks }) {
  const members = useResource<MembersAnswer>("/api/cluster/members", {
    topics: ["cluster_membership"],
    pollMs: POLL_MS,
  });
  const status = dataOf(resource);
  const own = nodeFacts.value?.node_id ?? status?.node_id ?? null;
  const named = dataOf(dns)?.data.nodes;
  const seen = dataOf(members)?.data.members;
  const nodes = useMemo(
    () =>
      ackMapNodes({
        own,
        rows: progress?.rows ?? [],
        dns: named ?? [],
        active: (seen ?? []).filter((member) => isActive(member) && !member.self),
      }),
    [own, progress, named, seen],
  );
  const membersFail = errorOf(members) !== null || (dataOf(members)?.error ?? null) !== null;
  // An old number would look like the present.
  const acksCount = (kind: "expected" | "acked" | "overdue") =>
    errorOf(resource) !== null ? "?" : status === null ? undefined : countKind(nodes, kind);
  return (
    <Card
      title="Map"
      flush
      note={
        <span class="inline-flex items-center gap-2">
          <AckSummary progress={progress} state={status?.state ?? null} />
          {resource.kind === "stale" && <Badge tone="warn">stale</Badge>}
        </span>
      }
    >
      <WorldMap
        nodes={nodes}
        legend={MARKER_KINDS}
        labels={LABELS}
        counts={{
          expected: acksCount("expected"),
          active: membersFail ? "?" : seen === undefined ? undefined : countKind(nodes, "active"),
          acked: acksCount("acked"),
          overdue: acksCount("overdue"),
        }}
      />
    </Card>
  );
}
