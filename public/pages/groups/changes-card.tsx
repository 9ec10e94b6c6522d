/** @module The changes of leaders, as the page sees them happen. */
import { useMemo } from "preact/hooks";
import type { FleetStatus } from "../../../services/raft/fleet-status.ts";
import { Age } from "../../components/age.tsx";
import { Badge } from "../../components/badge.tsx";
import { Card } from "../../components/card.tsx";
import { type Column, Table } from "../../components/table.tsx";
import { dataOf, type Resource } from "../../data/resource.ts";
import { groupName, type LeaderChange, type LeaderMark, leaderMarks } from "../../fleet/leaders.ts";
import { Swatch } from "../../fleet/node-state.tsx";
import type { SeenChanges } from "./use-leader-changes.ts";

export interface ChangesCardProps {
  readonly fleet: Resource<FleetStatus>;
  readonly changes: SeenChanges;
}

export function ChangesCard({ fleet, changes: { list, since } }: ChangesCardProps) {
  const status = dataOf(fleet);
  const marks = useMemo(
    () => (status === null ? new Map<string, LeaderMark>() : leaderMarks(status)),
    [status],
  );
  const columns = useMemo(() => columnsFor(marks), [marks]);
  return (
    <Card title="Leader changes" note={list.length > 0 ? `${list.length} seen` : undefined} flush>
      {list.length === 0 ? (
        <p class="p-4 text-muted">
          {since === null ? (
            "Not looking yet."
          ) : (
            <>
              No group changed its leader. Watched since <Age at={since} />
            </>
          )}
        </p>
      ) : (
        <Table
          label="Changes of leaders"
          columns={columns}
          rows={list}
          rowKey={({ group, at }) => `${group} ${at}`}
          maxHeight="max-h-56"
        />
      )}
    </Card>
  );
}

function columnsFor(marks: ReadonlyMap<string, LeaderMark>): readonly Column<LeaderChange>[] {
  return [
    {
      key: "group",
      title: "Group",
      cell: ({ group }) => <span class="font-mono text-xs">{groupName(group)}</span>,
    },
    { key: "from", title: "From", cell: ({ from }) => <Leader name={from} marks={marks} /> },
    { key: "to", title: "To", cell: ({ to }) => <Leader name={to} marks={marks} /> },
    { key: "at", title: "When", align: "right", cell: ({ at }) => <Age at={at} /> },
  ];
}

interface LeaderProps {
  readonly name: string | null;
  readonly marks: ReadonlyMap<string, LeaderMark>;
}

function Leader({ name, marks }: LeaderProps) {
  if (name === null) return <Badge tone="bad">no leader</Badge>;
  return (
    <span class="inline-flex items-center gap-1.5">
      <Swatch mark={marks.get(name)} />
      <span class="font-mono text-xs">{name}</span>
    </span>
  );
}
