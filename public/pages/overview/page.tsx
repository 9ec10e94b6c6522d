/** @module Overview: both halves of the node at a glance, and what needs somebody. */
import type { NodeFacts } from "../../../services/corrosion/contract.ts";
import { Badge } from "../../components/badge.tsx";
import { PageHeading } from "../../components/page-heading.tsx";
import { dataOf } from "../../data/resource.ts";
import type { MembersAnswer } from "../../data/sourced.ts";
import { useResource } from "../../data/use-resource.ts";
import { EnginesCard } from "../../fleet/engines-card.tsx";
import { ReadinessBadge } from "../../fleet/node-state.tsx";
import { useFleet, useReadiness } from "../../fleet/use-fleet.ts";
import { AgentsCard } from "./agents-card.tsx";
import { Attention } from "./attention.tsx";
import { Figures } from "./figures.tsx";
import { LastExperimentCard } from "./last-experiment-card.tsx";
import { NodeUrls } from "./node-urls.tsx";
import { NodesCard } from "./nodes-card.tsx";

const FACTS_POLL_MS = 10_000;
const MEMBERS_POLL_MS = 15_000;

export default function OverviewPage() {
  const fleet = useFleet();
  const readiness = useReadiness();
  const facts = useResource<NodeFacts>("/api/node", { topics: ["agent_state"], pollMs: FACTS_POLL_MS });
  const members = useResource<MembersAnswer>("/api/cluster/members", {
    topics: ["cluster_membership"],
    pollMs: MEMBERS_POLL_MS,
  });
  const mode = dataOf(fleet)?.mode;
  // Without Corrosion there is nothing of that half to show, and nothing wrong either.
  const off = dataOf(facts)?.has_agent === false;
  return (
    <div class="space-y-4">
      <PageHeading
        title="Overview"
        actions={
          <span class="flex flex-wrap items-center gap-2">
            {mode !== undefined && <Badge tone="info">{mode}</Badge>}
            <ReadinessBadge readiness={readiness} />
          </span>
        }
      >
        Conversations and their log on one side, propagation on the other.
      </PageHeading>
      <Attention fleet={fleet} facts={facts} members={members} />
      <Figures fleet={fleet} facts={facts} members={members} />
      <div class="grid gap-4 xl:grid-cols-[3fr_2fr]">
        <NodesCard fleet={fleet} members={members} />
        {!off && <LastExperimentCard />}
        <EnginesCard fleet={fleet} facts={dataOf(facts)} />
        {!off && <AgentsCard facts={facts} members={members} />}
      </div>
      <NodeUrls />
    </div>
  );
}
