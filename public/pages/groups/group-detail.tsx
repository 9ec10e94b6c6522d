/** @module One group in words: its leader, its copies, its log and its archive. */
import type { ComponentChildren } from "preact";
import type { FleetStatus } from "../../../services/raft/fleet-status.ts";
import { Badge } from "../../components/badge.tsx";
import { classes } from "../../components/classes.ts";
import { countText } from "../../data/wording.ts";
import { groupName, type LeaderMark } from "../../fleet/leaders.ts";
import { Swatch } from "../../fleet/node-state.tsx";
import { GroupLogLine } from "./group-log.tsx";

export interface GroupDetailProps {
  readonly status: FleetStatus;
  /** Null: none is pointed at. */
  readonly group: number | null;
  readonly mark: ReadonlyMap<string, LeaderMark>;
}

/** Numbers have their places, so that none moves another one. */
const COLUMNS = "grid-cols-3 sm:grid-cols-[3.5rem_minmax(0,1fr)_5.5rem_5.5rem_7rem]";
const HEIGHT = "h-40 sm:h-24";

/** As high without a group as with one: pointing at the map must not move it. */
export function GroupDetail({ status, group, mark }: GroupDetailProps) {
  if (group === null || group >= status.groups) {
    return (
      <p
        class={classes(
          HEIGHT,
          "flex items-center justify-center rounded-lg bg-raised px-4 text-center text-sm text-muted",
        )}
      >
        Point at a group, or walk through the map with the arrow keys.
      </p>
    );
  }
  const leader = status.leaders[group] ?? null;
  const followers = status.followers[group] ?? [];
  const lag = status.behind[group] ?? null;
  return (
    <section
      aria-label={`Group ${groupName(group)}`}
      data-group-detail={group}
      class={classes(HEIGHT, "grid content-center gap-x-4 gap-y-2 rounded-lg bg-raised px-4 py-2.5", COLUMNS)}
    >
      <Fact title="Group">
        <span class="font-mono">{groupName(group)}</span>
      </Fact>
      <Fact title="Leader" class="col-span-2 sm:col-span-1">
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
      <div class="col-span-full flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1 text-xs text-muted">
        <span class="line-clamp-1 min-w-0">
          {countText(followers.length + (leader === null ? 0 : 1), "replica")}
          {followers.length > 0 && `, followed by ${followers.join(", ")}`}
        </span>
        <GroupLogLine group={group} engine={status.engine.kind} />
      </div>
    </section>
  );
}

interface FactProps {
  readonly title: string;
  readonly class?: string;
  readonly children: ComponentChildren;
}

function Fact({ title, class: more, children }: FactProps) {
  return (
    <div class={classes("min-w-0", more)}>
      <div class="text-xs text-muted">{title}</div>
      <div class="h-6 truncate text-sm leading-6 font-medium tabular-nums">{children}</div>
    </div>
  );
}

function indexText(index: number | null | undefined): string {
  return index === null || index === undefined ? "–" : index.toLocaleString("en");
}
