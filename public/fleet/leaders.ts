/** @module Which group is led by whom, how far its archive is, and what has changed since the page looked last. */
import type { FleetStatus } from "../../services/raft/fleet-status.ts";

/** Leader colours in `style.css`. */
const PALETTE = 9;

/** What stands for a node on the map: its number among the nodes by name, from 1, and a colour. */
export interface LeaderMark {
  readonly node: string;
  readonly number: number;
  /** A CSS colour. */
  readonly colour: string;
}

/** Marks of every node that is there or leads, by its name; in the order of their names. */
export function leaderMarks({
  nodes,
  leaders,
}: Pick<FleetStatus, "nodes" | "leaders">): ReadonlyMap<string, LeaderMark> {
  const names = new Set([...nodes.map(({ id }) => id), ...leaders.filter((leader) => leader !== null)]);
  return new Map(
    [...names]
      .sort()
      .map((node, at) => [node, { node, number: at + 1, colour: `var(--leader-${at % PALETTE})` }]),
  );
}

/** `g007`, as the logs and the REPL write it. */
export function groupName(group: number): string {
  return `g${String(group).padStart(3, "0")}`;
}

/** Columns of the map: 16 for the usual 256 groups. */
export function columnsOf(groups: number): number {
  return groups <= 256 ? 16 : groups <= 1024 ? 32 : 64;
}

export interface ArchiveLag {
  /** Entries of all groups that have a leader. */
  readonly entries: number;
  /** The group that is farthest behind; null when none is. */
  readonly worst: { readonly group: number; readonly entries: number } | null;
}

export function archiveLagOf({ behind }: Pick<FleetStatus, "behind">): ArchiveLag {
  let entries = 0;
  let worst: ArchiveLag["worst"] = null;
  for (const [group, lag] of behind.entries()) {
    entries += lag ?? 0;
    if ((lag ?? 0) > (worst?.entries ?? 0)) worst = { group, entries: lag ?? 0 };
  }
  return { entries, worst };
}

export interface LeaderChange {
  readonly group: number;
  readonly from: string | null;
  readonly to: string | null;
  /** When the page saw it, milliseconds since 1970. */
  readonly at: number;
}

/** Groups whose leader is another one than before. */
export function changesBetween(
  before: FleetStatus["leaders"],
  after: FleetStatus["leaders"],
  at: number,
): readonly LeaderChange[] {
  return after.flatMap((to, group) => {
    const from = before[group] ?? null;
    return from === to ? [] : [{ group, from, to, at }];
  });
}
