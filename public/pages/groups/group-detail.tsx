/** @module One group in words: its leader, its copies, its log and its archive. */
import type { ComponentChildren } from "preact";
import type { FleetStatus } from "../../../services/raft/fleet-status.ts";
import { Badge } from "../../components/badge.tsx";
import { countText } from "../../data/wording.ts";
import { groupName, type LeaderMark, lagOf } from "../../fleet/leaders.ts";
import { Swatch } from "../../fleet/node-state.tsx";

export interface GroupDetailProps {
  readonly status: FleetStatus;
  /** Null: none is pointed at. */
  readonly group: number | null;
  readonly mark: ReadonlyMap<string, LeaderMark>;
}

/** As high without a group as with one: pointing at the map must not move it. */
export function GroupDetail({ status, group, mark }: GroupDetailProps) {
  if (group === null || group >= status.groups) {
    return (
      <p class="flex min-h-28 items-center justify-center rounded-lg bg-raised px-4 text-center text-sm text-muted sm:min-h-20">
        Point at a group, or walk through the map with the arrow keys.
      </p>
    );
  }
  const leader = status.leaders[group] ?? null;
  const followers = status.followers[group] ?? [];
  const lag = lagOf(status, group);
  return (
    <section
      aria-label={`Group ${groupName(group)}`}
      data-group-detail={group}
      class="grid min-h-28 grid-cols-3 content-center gap-x-4 gap-y-2 rounded-lg bg-raised px-4 py-2.5 sm:min-h-20 sm:grid-cols-[auto_1fr_auto_auto_auto_auto]"
    >
      <Fact title="Group">
        <span class="font-mono">{groupName(group)}</span>
      </Fact>
      <Fact title="Leader">
        {leader === null ? (
          <Badge tone="bad">no leader</Badge>
        ) : (
          <span class="flex min-w-0 items-center gap-1.5">
            <Swatch mark={mark.get(leader)} />
            <span class="truncate font-mono">{leader}</span>
          </span>
        )}
      </Fact>
      <Fact title="Applied">{indexText(status.applied[group])}</Fact>
      <Fact title="Archived">{indexText(status.archived[group])}</Fact>
      <Fact title="Lag">{lag === null ? "–" : countText(lag, "entry", "entries")}</Fact>
      <Fact title="Engine">
        <Badge tone={status.engine.connected ? "good" : "bad"}>
          {status.engine.connected ? "connected" : "unreachable"}
        </Badge>
      </Fact>
      <p class="col-span-full truncate text-xs text-muted">
        {countText(followers.length + (leader === null ? 0 : 1), "replica")}
        {followers.length > 0 && `, followed by ${followers.join(", ")}`}
      </p>
    </section>
  );
}

function Fact({ title, children }: { readonly title: string; readonly children: ComponentChildren }) {
  return (
    <div class="min-w-0">
      <div class="text-xs text-muted">{title}</div>
      <div class="truncate text-sm font-medium tabular-nums">{children}</div>
    </div>
  );
}

function indexText(index: number | null | undefined): string {
  return index === null || index === undefined ? "–" : index.toLocaleString("en");
}
