/** @module Every node in one line: its part in the fleet, and how its agent is seen. */
import { useMemo } from "preact/hooks";
import type { Member } from "../../../services/corrosion/contract.ts";
import type { FleetStatus } from "../../../services/raft/fleet-status.ts";
import { Badge } from "../../components/badge.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { More } from "../../components/facts.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { dataOf, type Resource } from "../../data/resource.ts";
import type { MembersAnswer } from "../../data/sourced.ts";
import { leaderMarks } from "../../fleet/leaders.ts";
import { NodeLink } from "../../fleet/node-link.tsx";
import { NodeState, Swatch } from "../../fleet/node-state.tsx";
import { MEMBER_TONES, memberState } from "./members.ts";
import { type NodeRow, nodeRows } from "./node-rows.ts";

export interface NodesCardProps {
  readonly fleet: Resource<FleetStatus>;
  readonly members: Resource<MembersAnswer>;
}

export function NodesCard({ fleet, members }: NodesCardProps) {
  return (
    <ResourceCard
      title="Nodes"
      flush
      resource={fleet}
      lines={5}
      actions={
        <>
          <More href="/groups">Groups</More>
          <More href="/cluster">Cluster</More>
        </>
      }
    >
      {(status) => (
        <NodesTable
          status={status}
          members={dataOf(members)?.data.members ?? null}
          remembered={(dataOf(members)?.error ?? null) !== null}
        />
      )}
    </ResourceCard>
  );
}

interface NodesTableProps {
  readonly status: FleetStatus;
  /** Null: not known. */
  readonly members: readonly Member[] | null;
  /** Whether they are those of the agent's last answer, and it gives none now. */
  readonly remembered: boolean;
}

function NodesTable({ status, members, remembered }: NodesTableProps) {
  const columns = useMemo(
    () => columnsFor(status, members !== null, remembered),
    [status, members === null, remembered],
  );
  const rows = useMemo(() => nodeRows(status.nodes, members ?? []), [status, members]);
  return <Table label="Nodes of both halves" columns={columns} rows={rows} rowKey={({ id }) => id} />;
}

function columnsFor(
  status: FleetStatus,
  membersKnown: boolean,
  remembered: boolean,
): readonly Column<NodeRow>[] {
  const marks = leaderMarks(status);
  return [
    {
      key: "node",
      title: "Node",
      class: "w-full max-w-0",
      cell: ({ id, fleet }) => (
        <span class="flex min-w-0 items-center gap-2">
          <Swatch mark={marks.get(id)} />
          <span class="flex min-w-0 flex-wrap items-center gap-x-2 gap-y-1">
            <NodeLink id={id} url={fleet?.url ?? null} page="/overview" />
            {id === status.node_id && <Badge tone="info">Local</Badge>}
          </span>
        </span>
      ),
    },
    {
      key: "fleet",
      title: "Conversations",
      cell: ({ fleet }) =>
        fleet === null ? (
          <Badge tone="bad">not in the fleet</Badge>
        ) : (
          <span class="flex min-h-11 flex-col items-start justify-center gap-0.5 sm:min-h-8 sm:flex-row sm:items-center sm:justify-start sm:gap-2">
            <NodeState node={fleet} />
            <span class="min-w-16 text-xs text-muted tabular-nums max-sm:pl-2">leads {fleet.leads}</span>
          </span>
        ),
    },
    {
      key: "agent",
      title: "Agent",
      cell: ({ member }) => (
        <span class="flex min-h-11 flex-col items-start justify-center gap-0.5 sm:min-h-8 sm:flex-row sm:items-center sm:justify-start sm:gap-2">
          {member === null ? (
            <Badge tone={membersKnown ? "warn" : "plain"}>{membersKnown ? "no member" : "not known"}</Badge>
          ) : (
            <Badge tone={remembered ? "plain" : MEMBER_TONES[memberState(member)]}>
              {remembered && "was "}
              {memberState(member)}
            </Badge>
          )}
          <span class="min-w-14 text-xs text-muted tabular-nums max-sm:pl-2">
            {remembered ? "" : rttText(member)}
          </span>
        </span>
      ),
    },
  ];
}

function rttText(member: Member | null): string {
  if (member === null) return "";
  if (member.self) return "itself";
  return member.rtt_avg_ms === null ? "no RTT" : `${member.rtt_avg_ms.toFixed(1)} ms`;
}
