/** @module Groups: who leads what, how far the archive is, and what the fleet runs on. */
import type { FleetStatus } from "../../../services/raft/fleet-status.ts";
import { Badge } from "../../components/badge.tsx";
import { PageHeading } from "../../components/page-heading.tsx";
import { dataOf, type Resource } from "../../data/resource.ts";
import { EnginesCard } from "../../fleet/engines-card.tsx";
import { Figure } from "../../fleet/figure.tsx";
import { archiveLagOf, groupName } from "../../fleet/leaders.ts";
import { ReadinessBadge } from "../../fleet/node-state.tsx";
import { useFleet, useReadiness } from "../../fleet/use-fleet.ts";
import { WarningList } from "../../fleet/warning-list.tsx";
import { warningsOf } from "../../fleet/warnings.ts";
import { nodeFacts } from "../../shell/node-facts.ts";
import { ChangesCard } from "./changes-card.tsx";
import { MapCard } from "./map-card.tsx";
import { NodesCard } from "./nodes-card.tsx";
import { useDrains } from "./use-drains.ts";
import { useLeaderChanges } from "./use-leader-changes.ts";

export default function GroupsPage() {
  const fleet = useFleet();
  const readiness = useReadiness();
  const changes = useLeaderChanges(dataOf(fleet)?.leaders ?? null);
  const known = dataOf(fleet);
  useDrains(known);
  return (
    <div class="space-y-4">
      <PageHeading
        title="Groups"
        actions={
          <span class="flex flex-wrap items-center gap-2">
            {known !== null && <Badge tone="info">{known.mode}</Badge>}
            <ReadinessBadge readiness={readiness} />
          </span>
        }
      >
        Every session belongs to a group; one node leads it, others keep a copy.
      </PageHeading>
      {known !== null && <WarningList warnings={warningsOf(known)} />}
      <Figures fleet={fleet} />
      <div class="grid gap-4 xl:grid-cols-[3fr_2fr]">
        <MapCard fleet={fleet} changes={changes.recent} />
        <div class="grid min-w-0 content-start gap-4">
          <NodesCard fleet={fleet} />
          <ChangesCard fleet={fleet} changes={changes} />
          <EnginesCard fleet={fleet} facts={nodeFacts.value} />
        </div>
      </div>
    </div>
  );
}

/** Four places that are there from the beginning, so that nothing moves when the numbers come. */
function Figures({ fleet }: { readonly fleet: Resource<FleetStatus> }) {
  const known = dataOf(fleet);
  const led = known?.leaders.filter((leader) => leader !== null).length ?? 0;
  const alive = known?.nodes.filter(({ available }) => available).length ?? 0;
  const lag = known === null ? null : archiveLagOf(known);
  const unknown = fleet.kind === "error" ? "not known" : "asking the node…";
  return (
    <div class="grid grid-cols-2 gap-3 lg:grid-cols-4">
      <Figure title="Groups with a leader" value={known === null ? "–" : `${led} / ${known.groups}`}>
        {known === null
          ? unknown
          : led === known.groups
            ? "every session takes messages"
            : "the others recover"}
      </Figure>
      <Figure title="Nodes" value={known === null ? "–" : `${alive} / ${known.nodes.length}`}>
        {known === null ? unknown : `seen from ${known.node_id}`}
      </Figure>
      <Figure
        title="Resident sessions"
        value={known === null ? "–" : known.resident_sessions.toLocaleString("en")}
      >
        {known === null ? unknown : "in the RAM of their leaders"}
      </Figure>
      <Figure title="Archive lag" value={lag === null ? "–" : lag.entries.toLocaleString("en")}>
        {lag === null
          ? unknown
          : lag.worst === null
            ? "all that was written is archived"
            : `log entries; most in ${groupName(lag.worst.group)}: ${lag.worst.entries.toLocaleString("en")}`}
      </Figure>
    </div>
  );
}
