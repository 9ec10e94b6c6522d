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

/** Log entries of a group that the archive does not hold yet; null where nobody leads it. */
export function lagOf(
  { applied, archived }: Pick<FleetStatus, "applied" | "archived">,
  group: number,
): number | null {
  const [last, kept] = [applied[group] ?? null, archived[group] ?? null];
  return last === null || kept === null ? null : Math.max(0, last - kept);
}

export interface ArchiveLag {
  /** Entries of all groups that have a leader. */
  readonly entries: number;
  /** The group that is farthest behind; null when none is. */
  readonly worst: { readonly group: number; readonly entries: number } | null;
}

export function archiveLagOf(fleet: Pick<FleetStatus, "applied" | "archived" | "groups">): ArchiveLag {
  let entries = 0;
  let worst: ArchiveLag["worst"] = null;
  for (let group = 0; group < fleet.groups; group += 1) {
    const lag = lagOf(fleet, group) ?? 0;
    entries += lag;
    if (lag > (worst?.entries ?? 0)) worst = { group, entries: lag };
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
