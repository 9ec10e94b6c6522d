/** @module A random mix of the faults that a machine may have at any time, round after round: each round is a trial that ends with every check. */
import { type Fault, faults, type Heal } from "./faults.ts";
import type { Ground } from "./ground.ts";
import { underLoad } from "./trial.ts";

/** A round is long enough for several faults, short enough that its messages are read back in a moment. */
const ROUND_MS = 40_000;
const SHORTEST_MS = 500;
const LONGEST_MS = 6000;

/**
 * Full logs are not among them: a copy of a stream that learns later than others of a limit that was raised leaves out
 * what they store, NATS 2.12 does not always mend it, and when that copy comes to lead, its group stands still.
 * Fleetport changes no limits; full disks have tests of their own.
 */
const KINDS: readonly Fault[] = Object.values(faults);

/** Faults until the time is over; the last round is checked like the others. Returns how often each fault struck. */
export async function mix(ground: Ground, ms: number, hint: string): Promise<Map<string, number>> {
  const struck = new Map<string, number>();
  const end = performance.now() + ms;
  while (performance.now() < end) {
    const roundEnd = Math.min(end, performance.now() + ROUND_MS);
    await underLoad(ground, hint, async (trial) => {
      do {
        const chosen = choose(ground);
        for (const { name } of chosen) struck.set(name, (struck.get(name) ?? 0) + 1);
        await strikeAll(ground, chosen);
        await trial.goesOn(2);
      } while (performance.now() < roundEnd);
    });
  }
  return struck;
}

/** One fault, or two that overlap; one that leaves nothing up comes alone. */
function choose({ random }: Ground): Fault[] {
  const first = random.pick(KINDS);
  if (first.of === "everything" || random.chance(0.5)) return [first];
  const others = KINDS.filter(({ of }) => of !== "everything" && (of !== first.of || of === "node"));
  return [first, random.pick(others)];
}

/** Strikes one after the other, lets them last, and heals them, either one first. */
async function strikeAll(ground: Ground, chosen: readonly Fault[]): Promise<void> {
  const { random } = ground;
  const heals: Heal[] = [];
  for (const fault of chosen) {
    heals.push(await fault.strike(ground));
    await ground.last(SHORTEST_MS + random.below(LONGEST_MS - SHORTEST_MS));
  }
  if (random.chance(0.5)) heals.reverse();
  // Begun in this order, but none waits for another, which it may need to be ready again.
  await Promise.all(heals.map((heal) => heal()));
}
