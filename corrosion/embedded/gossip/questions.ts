/** @module What is missing, cut into questions to peers of a bounded size. */
import type { ActorId, Range } from "../replication.ts";
import { setOf, size } from "./ranges.ts";
import type { VersionSets, Want } from "./sync-plan.ts";

/** Versions of one question. */
export const ASKED_AT_ONCE = 256;

/** The union of the sets. */
export function united(sets: readonly VersionSets[]): VersionSets {
  const all = new Map<ActorId, Range[]>();
  for (const set of sets) {
    for (const [origin, versions] of set) all.set(origin, [...(all.get(origin) ?? []), ...versions]);
  }
  return new Map([...all].map(([origin, versions]) => [origin, setOf(versions)]));
}

/** How many versions they are. */
export function countOf(wants: readonly Want[]): number {
  return wants.reduce((sum, { versions }) => sum + Number(size([versions])), 0);
}

/** Wants in questions of a bounded size. */
export function questions(wants: readonly Want[]): readonly (readonly Want[])[] {
  const all: Want[][] = [];
  let room = 0;
  for (const want of wants) {
    let { start } = want.versions;
    while (start <= want.versions.end) {
      if (room === 0) {
        all.push([]);
        room = ASKED_AT_ONCE;
      }
      const last = start + BigInt(room) - 1n;
      const end = last < want.versions.end ? last : want.versions.end;
      all.at(-1)!.push({ ...want, versions: { start, end } });
      room -= Number(end - start + 1n);
      start = end + 1n;
    }
  }
  return all;
}

/** The same list, beginning elsewhere. */
export function rotated<T>(list: readonly T[], by: number): readonly T[] {
  const at = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}
