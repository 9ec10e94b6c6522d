/** @module A trial: load and readers on new sessions while something is done to the ground, then every check. */
import assert from "node:assert/strict";
import { groupOf } from "../../lib/ids.ts";
import { untilArchived } from "../helpers/archive-check.ts";
import { createSessions, Load } from "../helpers/load.ts";
import { SocketReaders } from "../helpers/socket-readers.ts";
import { until } from "../helpers/until.ts";
import type { Ground } from "./ground.ts";

/** Two sessions and more share each group's entries. */
const SESSIONS_A_GROUP = 2;
const READERS_EACH = 2;
/** Enough appends that every entry holds several, few enough that two cores are not the limit. */
const PAUSE_MS = 40;
const PATIENCE_MS = 3000;
/** An election of NATS, of the groups and of the sockets' next homes, one after the other, on a busy machine. */
const GOES_ON_MS = 60_000;
const STRIKE_WITHIN_MS = 500;

let trials = 0;

export class Trial {
  readonly load: Load;
  readonly readers: SocketReaders;
  readonly #ground: Ground;
  readonly sessions: readonly string[];

  private constructor(ground: Ground, sessions: readonly string[], load: Load, readers: SocketReaders) {
    this.#ground = ground;
    this.sessions = sessions;
    this.load = load;
    this.readers = readers;
  }

  /** Resolves once every session takes appends and has readers. */
  static async begin(ground: Ground): Promise<Trial> {
    trials += 1;
    const sessions = sessionsOf(`trial-${trials}`, ground.cluster.groups);
    await createSessions(ground.urls()[0]!, sessions);
    const readers = await SocketReaders.join(sessions, ground.urls, READERS_EACH);
    const load = new Load(sessions, ground.urls, { pauseMs: PAUSE_MS, patienceMs: PATIENCE_MS });
    const trial = new Trial(ground, sessions, load, readers);
    await trial.goesOn();
    return trial;
  }

  /** Waits until `count` more appends are acknowledged in every session, or in those of which `which` is true. */
  async goesOn(count = 5, which: (session: string) => boolean = () => true): Promise<void> {
    const before = this.load.acknowledgedBySession;
    await until(
      `${count} more appends in every session`,
      () => {
        const now = this.load.acknowledgedBySession;
        return this.sessions.filter(which).every((id) => now.get(id)! >= before.get(id)! + count);
      },
      GOES_ON_MS,
    );
  }

  /** Ends the load and checks everything. */
  async verify(): Promise<void> {
    const { cluster } = this.#ground;
    await cluster.settled(GOES_ON_MS);
    await this.goesOn();
    await this.load.stop();
    const [first, ...others] = this.#ground.urls();
    const stored = await this.load.verify(first!);
    for (const url of others) assert.deepEqual(await this.load.verify(url), stored, `${url} shows the same`);
    await this.readers.verify(stored);
    await untilArchived(cluster.databaseUrl, stored);
    await cluster.replicasAgree();
    for (const { id, url } of cluster.nodes) {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      assert.match(metrics, /^fleet_state_divergence_total 0$/m, `the states of node ${id} never differed`);
    }
    this.#ground.note(
      `${this.load.acknowledged} acknowledged, ${this.load.doubts.length} in doubt, ` +
        `${this.load.refusals} refused, ${this.readers.joins} joins`,
    );
  }

  /** Ends what still runs. */
  async end(): Promise<void> {
    await this.load.stop(0).catch(() => undefined); // what is to be said of it, `verify` has said
    await this.readers.stop();
  }
}

/** Names of sessions, the same number in each group. */
function sessionsOf(prefix: string, groups: number): string[] {
  const found = Array.from({ length: groups }, (): string[] => []);
  for (let n = 0; found.some((sessions) => sessions.length < SESSIONS_A_GROUP); n++) {
    const session = `${prefix}-${n}`;
    const sessions = found[groupOf(session, groups)]!;
    if (sessions.length < SESSIONS_A_GROUP) sessions.push(session);
  }
  return found.flat();
}

/** Runs a trial around `body`; what fails is told with what was done before, and how to try it again. */
export async function underLoad(
  ground: Ground,
  hint: string,
  body: (trial: Trial) => Promise<void>,
): Promise<void> {
  const from = ground.events.length;
  let trial: Trial | null = null;
  let failed = false;
  try {
    trial = await Trial.begin(ground);
    // Where in the work of all writers the fault comes is the seed's choice too.
    await ground.last(ground.random.below(STRIKE_WITHIN_MS));
    await body(trial);
    await trial.verify();
    for (const event of ground.events.slice(from)) console.log(`      ${event}`);
  } catch (cause) {
    failed = true;
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new Error([what, ...ground.events.slice(from), hint].join("\n"), { cause });
  } finally {
    await trial?.end();
    // What failed first is what is told.
    await ground.recover().catch((error: unknown) => {
      if (!failed) throw error;
    });
  }
}
