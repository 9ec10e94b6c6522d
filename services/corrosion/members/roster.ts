/** @module The last good list of members, its age, and the one fetch that is under way. */
import { type Clock, isoMicros } from "../../../lib/clock.ts";
import type { FetchStatus, IdentityMap, Member, Membership, MemberView } from "../contract.ts";
import type { Fetched } from "./fetch.ts";
import { regionsOf, renameMembers } from "./merge.ts";

export interface RosterEnvironment {
  readonly nodeId: string;
  readonly fetch: (signal: AbortSignal) => Promise<Fetched>;
  readonly clock: Clock;
  /** Between two fetches; slower where each one starts a process. */
  readonly refreshMs: number;
  readonly cliRefreshMs: number;
  /** The state changed: a fetch began or ended. */
  readonly changed: (membership: Membership) => void;
}

/** While a cluster meets, its members are looked at so often; but no longer than `MEETING_LIMIT_MS` at a stretch. */
const MEETING_MS = 2000;
const MEETING_LIMIT_MS = 15_000;

/** Fetches from `start` to `stop`, one at a time. What was known stays when a fetch fails. */
export class Roster {
  readonly #env: RosterEnvironment;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | null = null;
  #fetching: Promise<Membership> | null = null;
  #good: { readonly fetched: Fetched; readonly at: string } | null = null;
  #error: string | null = null;
  #status: FetchStatus = "initializing";
  #paused = false;
  #again = false;
  /** Since when the cluster meets, in microseconds; null while it has met. */
  #meetingSince: number | null = null;

  constructor(env: RosterEnvironment) {
    this.#env = env;
  }

  start(firstMs: number): void {
    this.#meetingSince = this.#env.clock();
    this.#after(firstMs);
  }

  /** Fetches no more; resolves when the fetch under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#timer) clearTimeout(this.#timer);
    await this.#fetching;
  }

  /** While the agent restarts nothing is fetched by itself. */
  pause(): void {
    this.#paused = true;
  }

  /** Fetches at once; a fetch that began before may have met the agent as it went. */
  resume(): void {
    this.#paused = false;
    this.#meetingSince = this.#env.clock();
    this.#again = this.#fetching !== null;
    this.#after(0);
  }

  /** The agent answers now: whoever missed it need not wait for the next look. */
  agentRuns(): void {
    if (!this.#paused && (this.#good === null || this.#error !== null)) this.resume();
  }

  /** Fetches now, or joins the fetch under way. Never throws: what went wrong stands in the answer. */
  refresh(): Promise<Membership> {
    if (this.#stopping.signal.aborted) return Promise.resolve(this.membership());
    if (this.#timer) clearTimeout(this.#timer);
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = null;
      this.#after(this.#again ? 0 : this.#pauseMs());
      this.#again = false;
    });
    return this.#fetching;
  }

  /** Gives the members that are known the names of this map. */
  rename(map: IdentityMap): void {
    if (this.#good === null) return;
    const { at, fetched } = this.#good;
    const members = renameMembers(fetched.members, map);
    const same = members.every((member, i) => member === fetched.members[i]);
    if (same) return;
    this.#good = { at, fetched: { ...fetched, members } };
    this.#env.changed(this.membership());
  }

  membership(): Membership {
    const members: readonly Member[] = this.#good?.fetched.members ?? [];
    return {
      members,
      error: this.#error,
      regions: regionsOf(members),
      cache_status: {
        last_updated: this.#good?.at ?? null,
        error: this.#error,
        status: this.#status,
        member_count: members.length,
      },
    };
  }

  view(): MemberView {
    const subjects = (this.#good?.fetched.members ?? []).flatMap(({ id, state, self }) =>
      self || state === null ? [] : [{ id, state }],
    );
    return {
      node_id: this.#env.nodeId,
      actor_id: this.#good?.fetched.actorId ?? null,
      at: this.#good?.at ?? null,
      error: this.#error,
      subjects,
    };
  }

  async #fetch(): Promise<Membership> {
    const { changed, clock, fetch } = this.#env;
    this.#status = "fetching";
    changed(this.membership());
    try {
      const fetched = await fetch(this.#stopping.signal);
      this.#good = { fetched, at: isoMicros(clock()) };
      this.#meetingSince = fetched.met ? null : (this.#meetingSince ?? clock());
      this.#error = null;
      this.#status = "ok";
    } catch (error) {
      this.#error = error instanceof Error ? error.message : String(error);
      this.#status = "error";
    }
    if (!this.#stopping.signal.aborted) changed(this.membership());
    return this.membership();
  }

  #pauseMs(): number {
    const { cliRefreshMs, clock, refreshMs } = this.#env;
    const regular = this.#good?.fetched.source === "cli" ? cliRefreshMs : refreshMs;
    const meets = this.#meetingSince !== null && clock() - this.#meetingSince < MEETING_LIMIT_MS * 1000;
    return meets ? Math.min(MEETING_MS, regular) : regular;
  }

  #after(ms: number): void {
    if (this.#stopping.signal.aborted) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#paused) this.#after(this.#env.refreshMs);
      else void this.refresh();
    }, ms);
  }
}
