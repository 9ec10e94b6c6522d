/** @module The map of the groups with its legend, and the group that a person looks at. */
import { useMemo, useState } from "preact/hooks";
import type { FleetStatus } from "../../../services/raft/fleet-status.ts";
import { ResourceCard } from "../../components/card.tsx";
import type { Resource } from "../../data/resource.ts";
import { countText } from "../../data/wording.ts";
import { leaderMarks } from "../../fleet/leaders.ts";
import { Swatch } from "../../fleet/node-state.tsx";
import { GroupDetail } from "./group-detail.tsx";
import { GroupMap } from "./group-map.tsx";

export interface MapCardProps {
  readonly fleet: Resource<FleetStatus>;
  /** Groups whose leader changed a moment ago. */
  readonly changes: ReadonlySet<number>;
}

export function MapCard({ fleet, changes }: MapCardProps) {
  return (
    <ResourceCard title="Who leads what" resource={fleet} lines={12}>
      {(status) => <FleetMap status={status} changes={changes} />}
    </ResourceCard>
  );
}

function FleetMap({
  status,
  changes,
}: {
  readonly status: FleetStatus;
  readonly changes: ReadonlySet<number>;
}) {
  const [pointed, setPointed] = useState<number | null>(null);
  const [selected, setSelected] = useState<number | null>(null);
  const { nodes, leaders } = status;
  const marks = useMemo(() => leaderMarks({ nodes, leaders }), [nodes, leaders]);
  const counts = new Map<string | null, number>();
  for (const leader of leaders) counts.set(leader, (counts.get(leader) ?? 0) + 1);
  const leaderless = counts.get(null) ?? 0;
  return (
    <div class="space-y-4">
      <ul class="flex flex-wrap gap-x-4 gap-y-1.5 text-xs" aria-label="Leaders">
        {[...marks.values()].map((mark) => (
          <li key={mark.node} class="inline-flex min-w-0 items-center gap-1.5">
            <Swatch mark={mark} />
            <span class="truncate font-mono">{mark.node}</span>
            <span class="text-muted tabular-nums">{countText(counts.get(mark.node) ?? 0, "group")}</span>
          </li>
        ))}
        {leaderless > 0 && (
          <li class="inline-flex items-center gap-1.5 font-medium text-bad">
            <span
              aria-hidden="true"
              class="inline-flex size-5 items-center justify-center rounded border border-bad bg-bad-soft"
            >
              !
            </span>
            no leader: {countText(leaderless, "group")}
          </li>
        )}
      </ul>
      <GroupDetail status={status} group={pointed ?? selected} mark={marks} />
      <GroupMap
        leaders={leaders}
        marks={marks}
        recent={changes}
        selected={selected}
        onPoint={setPointed}
        onSelect={setSelected}
      />
    </div>
  );
}
