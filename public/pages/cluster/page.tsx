/** @module Cluster: which nodes there should be, who is there, and where nodes see that differently. */
import { useMemo } from "preact/hooks";
import type { Membership } from "../../../services/corrosion/contract.ts";
import { Button } from "../../components/button.tsx";
import { Card } from "../../components/card.tsx";
import { Notice } from "../../components/notice.tsx";
import { PageHeading } from "../../components/page-heading.tsx";
import { dataOf } from "../../data/resource.ts";
import type { DisagreementsAnswer, DnsAnswer, MembersAnswer, TablesAnswer } from "../../data/sourced.ts";
import { tell } from "../../data/toasts.ts";
import { WorldMap } from "../../map/world-map.tsx";
import { nodeFacts } from "../../shell/node-facts.ts";
import { DisagreementCard } from "./disagreement-card.tsx";
import { DnsCard } from "./dns-card.tsx";
import { isActive, mapNodesOf } from "./map-nodes.ts";
import { MembersCard } from "./members-card.tsx";
import { TablesCard } from "./tables-card.tsx";
import { type Source, useSource } from "./use-source.ts";

export default function ClusterPage() {
  const dns = useSource<DnsAnswer["data"]>("dns", "The list of DNS nodes");
  const members = useSource<MembersAnswer["data"]>("members", "The member list", (_, { data }) =>
    // The one event of the topic.
    answerOf(data as Membership),
  );
  const tables = useSource<TablesAnswer["data"]>("corrosion", "The agent's table of members");
  const matrix = useSource<DisagreementsAnswer["data"]>("disagreements", "The comparison of views");
  const sources = [dns, members, tables, matrix] as const;
  return (
    <div class="space-y-4">
      <PageHeading
        title="Cluster"
        actions={
          <Button tone="primary" onPress={() => refreshAll(sources)}>
            Refresh All
          </Button>
        }
      />
      {sources.map(({ name, title, problem }) =>
        problem === null ? null : (
          <Notice key={name} tone="bad">
            <strong class="font-semibold">{title}:</strong> {problem}
          </Notice>
        ),
      )}
      <div class="grid gap-4 lg:grid-cols-[2fr_1fr]">
        <MapCard dns={dns} members={members} />
        <DnsCard source={dns} />
      </div>
      <MembersCard source={members} />
      <div class="grid gap-4 xl:grid-cols-2">
        <TablesCard source={tables} />
        <DisagreementCard source={matrix} />
      </div>
    </div>
  );
}

interface MapCardProps {
  readonly dns: Source<DnsAnswer["data"]>;
  readonly members: Source<MembersAnswer["data"]>;
}

function MapCard({ dns, members }: MapCardProps) {
  const expected = dataOf(dns.resource)?.data.nodes;
  const seen = dataOf(members.resource)?.data.members;
  const own = nodeFacts.value?.node_id ?? null;
  const nodes = useMemo(
    () => mapNodesOf({ own, expected: expected ?? [], members: seen ?? [] }),
    [own, expected, seen],
  );
  return (
    <Card title="Nodes" flush>
      <WorldMap
        nodes={nodes}
        legend={["own", "expected", "active"]}
        counts={{
          expected: countOf(dns, ({ nodes }) => nodes.length),
          active: countOf(members, (data) => data.members.filter(isActive).length),
        }}
      />
    </Card>
  );
}

/** `?` while a source fails, for an old number would look like the present; nothing before its first answer. */
function countOf<Data>(
  { problem, resource }: Source<Data>,
  count: (data: Data) => number,
): number | "?" | undefined {
  if (problem !== null) return "?";
  const answer = dataOf(resource);
  return answer === null ? undefined : count(answer.data);
}

function answerOf({ members, regions, error, cache_status: cache }: Membership): MembersAnswer {
  return {
    data: { members, regions, member_count: cache.member_count },
    status: cache.status,
    last_updated: cache.last_updated,
    error: error ?? cache.error,
  };
}

async function refreshAll(sources: readonly Pick<Source<unknown>, "title" | "refresh">[]): Promise<void> {
  const outcomes = await Promise.allSettled(sources.map(({ refresh }) => refresh()));
  const failures = outcomes.flatMap((outcome, i) =>
    outcome.status === "rejected" ? [`${sources[i]!.title}: ${(outcome.reason as Error).message}`] : [],
  );
  await tell(
    async () => {
      if (failures.length > 0) throw new Error(failures.join("; "));
    },
    { done: "All sources are fresh.", failed: "Not everything could be refreshed" },
  );
}
