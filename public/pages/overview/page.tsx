/** @module Overview: both halves of the node at a glance, and what needs somebody. */
import type { NodeFacts } from "../../../services/corrosion/contract.ts";
import type { FleetStatus } from "../../../services/raft/fleet-status.ts";
import { Notice } from "../../components/notice.tsx";
import { PageHeading } from "../../components/page-heading.tsx";
import { dataOf, type Resource } from "../../data/resource.ts";
import { useResource } from "../../data/use-resource.ts";
import { useFleet, useReadiness } from "../../fleet/use-fleet.ts";
import { WarningList } from "../../fleet/warning-list.tsx";
import { warningsOf } from "../../fleet/warnings.ts";
import { AgentsCard } from "./agents-card.tsx";
import { ApiCard } from "./api-card.tsx";
import { ArchiveCard, EngineCard, FleetCard } from "./fleet-cards.tsx";
import { LastExperimentCard } from "./last-experiment-card.tsx";
import { NodeCard } from "./node-card.tsx";

const FACTS_POLL_MS = 10_000;

export default function OverviewPage() {
  const fleet = useFleet();
  const readiness = useReadiness();
  const facts = useResource<NodeFacts>("/api/node", { topics: ["agent_state"], pollMs: FACTS_POLL_MS });
  return (
    <div class="space-y-4">
      <PageHeading title="Overview">
        Conversations and their log on one side, propagation on the other.
      </PageHeading>
      <Attention fleet={fleet} />
      <div class="grid gap-4 sm:grid-cols-2 xl:grid-cols-3">
        <NodeCard facts={facts} readiness={readiness} />
        <FleetCard fleet={fleet} />
        <EngineCard fleet={fleet} />
        <ArchiveCard fleet={fleet} />
        <AgentsCard facts={facts} />
        <LastExperimentCard />
      </div>
      <ApiCard />
    </div>
  );
}

/** What needs somebody; there from the beginning, so that the cards stay in their places. */
function Attention({ fleet }: { readonly fleet: Resource<FleetStatus> }) {
  const known = dataOf(fleet);
  if (known === null) {
    return fleet.kind === "error" ? (
      <Notice tone="bad">How the fleet is cannot be said: the node does not show it.</Notice>
    ) : (
      <Notice tone="plain">Looking at the fleet…</Notice>
    );
  }
  const warnings = warningsOf(known);
  if (warnings.length > 0) return <WarningList warnings={warnings} />;
  return fleet.kind === "stale" ? (
    <Notice tone="warn">Nothing was wrong when this node answered last.</Notice>
  ) : (
    <Notice tone="good">Every group has a leader, and nothing in the fleet needs attention.</Notice>
  );
}
