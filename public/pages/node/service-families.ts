/** @module Services by families: names that differ only in a number are one. */

export interface ServiceFamily {
  /** `raft.g….follower` for several, the service's own name for one. */
  readonly name: string;
  readonly members: readonly string[];
}

/** Fewer than these are told one by one. */
const FAMILY = 4;

/** In the order of their first members. */
export function familiesOf(services: readonly string[]): readonly ServiceFamily[] {
  const families = new Map<string, string[]>();
  for (const name of services) {
    const family = name.replaceAll(/\d+/g, "…");
    const members = families.get(family);
    if (members === undefined) families.set(family, [name]);
    else members.push(name);
  }
  return [...families].flatMap(([name, members]) =>
    members.length < FAMILY
      ? members.map((member) => ({ name: member, members: [member] }))
      : [{ name, members }],
  );
}
