/** @module A leader's archiver: writes what its group decided to Postgres, then lets the log and RAM shrink. */
import type { ServiceBroker } from "moleculer";
import type { LimitFunction } from "p-limit";
import type { UpkeepDraft } from "../../lib/conversation/commands.ts";
import { isEvictable } from "../../lib/conversation/residency.ts";
import { encodeSnapshot } from "../../lib/conversation/snapshot.ts";
import type { GroupState } from "../../lib/conversation/state.ts";
import { errorCode } from "../../lib/errors.ts";
import { batches, collect, type Unarchived } from "./archive-batches.ts";
import type { ArchivePort } from "./archive-port.ts";
import type { GroupLog } from "./engine/engine.ts";
import type { History } from "./history.ts";
import type { RaftMetrics } from "./metrics.ts";
import { ArchiveGap, replayFrom } from "./re-archive.ts";
import { canReturn } from "./residency.ts";
import type { SessionReader } from "./session-reader.ts";

export interface ArchiverOptions {
  readonly flushIntervalMs: number;
  readonly flushBatch: number;
  readonly snapshotEvery: number;
  readonly evictIdleMs: number;
}

export interface ArchiverEnvironment {
  readonly options: ArchiverOptions;
  readonly archive: ArchivePort;
  readonly log: GroupLog;
  readonly history: History;
  readonly state: () => GroupState;
  /** True once the command is committed. */
  readonly propose: (draft: UpkeepDraft) => Promise<boolean>;
  /** Who knows which sessions were read lately. */
  readonly reader: Pick<SessionReader, "readSince" | "forget">;
  /** Present time in microseconds since 1970. */
  readonly clock: () => number;
  /** Passes of this node that run at the same time. */
  readonly limit: LimitFunction;
  readonly metrics: RaftMetrics;
  readonly logger: ServiceBroker["logger"];
  /** The archive refuses this group's data, or takes it again (null). */
  readonly stalled: (problem: string | null) => void;
  /** The archive holds more than this group ever decided: going on would mix two histories. */
  readonly foreign: (problem: string) => void;
}

/** The archive refuses what it is given: a person must look. */
class ArchiveRefusal extends Error {
  override name = "ArchiveRefusal";
}

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 30_000;
/** Longest time between two looks for idle sessions. */
const EVICT_EVERY_MS = 60_000;
/** Sessions that one command evicts at most. */
const EVICT_AT_ONCE = 4000;

/** Runs from the claim of a leader to its end. */
export class Archiver {
  readonly #env: ArchiverEnvironment;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;
  #stopped = false;
  #failures = 0;
  #problem: string | null = null;
  /** Whether the archive was seen to hold what the state says that it holds. */
  #verified = false;
  /** The log holds nothing below this index. */
  #truncated = 0;
  #evictedAt: number;
  /** All that was decided until then is archived; on the clock of `clock`. */
  #archivedUntil: number;

  constructor(env: ArchiverEnvironment) {
    this.#env = env;
    this.#archivedUntil = env.clock();
    this.#evictedAt = env.clock();
  }

  /** Why the archive stands still; null while it does not. */
  get problem(): string | null {
    return this.#problem;
  }

  /** For how long something has waited to be archived, in seconds. */
  get lagSeconds(): number {
    const { state, clock } = this.#env;
    return state().changed > state().archived ? Math.max(0, clock() - this.#archivedUntil) / 1e6 : 0;
  }

  start(): void {
    // Leaders of one node begin at different moments, so that their passes spread over the interval.
    this.#after(Math.random() * this.#env.options.flushIntervalMs);
  }

  /** Starts no other pass; one under way ends by itself. */
  stop(): void {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
  }

  /** Archives now what there is. Returns when a pass that began after the call is over, whatever became of it. */
  async flush(): Promise<void> {
    await this.#running;
    if (this.#stopped) return;
    if (this.#timer) clearTimeout(this.#timer);
    await this.#pass();
  }

  /** The archive was seen to lack what it should hold, or to hold what it should not: looks at once. */
  distrust(): void {
    this.#verified = false;
    if (this.#stopped || this.#running || this.#problem !== null) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#after(0);
  }

  #after(ms: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.#pass(), ms);
  }

  #pass(): Promise<void> {
    this.#running ??= this.#env
      .limit(() => this.#passOnce())
      .finally(() => {
        this.#running = null;
      });
    return this.#running;
  }

  async #passOnce(): Promise<void> {
    if (this.#stopped) return;
    try {
      await this.#archive();
      await this.#snapshot();
      await this.#truncate();
      await this.#evict();
      this.#failures = 0;
      this.#tell(null);
      this.#after(this.#env.options.flushIntervalMs);
    } catch (error) {
      if (this.#stopped) return;
      this.#failed(error);
      this.#failures += 1;
      const backoff = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.#failures, 10));
      this.#after(Math.max(backoff, Math.min(this.#env.options.flushIntervalMs, LAST_RETRY_MS)));
    }
  }

  /** A leader that has ended must not go on from a state that a follower applies to meanwhile. */
  #checkRunning(): void {
    if (this.#stopped) throw new Error("the leader has ended");
  }

  #failed(error: unknown): void {
    const { log, logger } = this.#env;
    const problem = error instanceof Error ? error.message : String(error);
    if (error instanceof ArchiveRefusal || error instanceof ArchiveGap) return this.#tell(problem);
    // An outage is everybody's; the archive's own service says so once.
    if (errorCode(error) === "archive_unavailable") return;
    logger.warn("a pass of the archiver failed, trying again", { group: log.group, error: problem });
  }

  #tell(problem: string | null): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#env.stalled(problem);
  }

  async #archive(): Promise<void> {
    const { clock, propose, state } = this.#env;
    const pending = () => state().changed > state().archived;
    // Each time that there is something to do: an older database may have been put in place while this leader led.
    if (pending() || !this.#verified) await this.#verify();
    if (!pending()) {
      this.#archivedUntil = clock();
      return;
    }
    this.#checkRunning();
    const began = clock();
    const unarchived = collect(state());
    await this.#write(unarchived, async (index) => {
      if (!(await propose({ t: "archived", index }))) throw new Error("the archived index was not committed");
    });
    this.#archivedUntil = began;
  }

  /** Writes batch after batch and says after each how far the archive goes. */
  async #write(unarchived: Unarchived, archived: (index: number) => Promise<void>): Promise<void> {
    const { archive, history, options } = this.#env;
    let reached = this.#env.state().archived;
    for await (const batch of batches(unarchived, options.flushBatch, (messages) =>
      history.located(messages),
    )) {
      const written = await archive.write(batch);
      this.#checkRunning();
      if (written.kind === "refused") throw new ArchiveRefusal(written.problem);
      if (written.conflicts > 0) {
        throw new ArchiveRefusal(
          `group ${unarchived.group}: the archive holds other messages in the place of ${written.conflicts} of those up to log index ${batch.archivedIndex}: nothing of the group is archived any more until a person has looked`,
        );
      }
      if (batch.archivedIndex <= reached) continue;
      reached = batch.archivedIndex;
      await archived(reached);
    }
  }

  /** The lower of table and state wins: what the table does not cover is written again. */
  async #verify(): Promise<void> {
    const { archive, log, logger, state } = this.#env;
    this.#verified = false;
    const watermark = await archive.watermark(log.group);
    if (watermark > state().applied) await this.#judge(watermark);
    const { archived } = state();
    if (watermark < archived) {
      logger.warn("the archive holds less than it did, and is written again", {
        group: log.group,
        archived,
        watermark,
      });
      const missing = await replayFrom(log, archive, watermark, archived);
      await this.#write({ ...collect(missing), target: archived }, async () => undefined);
    }
    this.#verified = true;
  }

  /**
   * The archive is ahead of this leader: either it was replaced, or has not heard of its own last commit yet, or archive
   * and log do not belong together. A commit tells: behind it nothing in the log is unknown here.
   */
  async #judge(watermark: number): Promise<void> {
    const { foreign, log, propose, state } = this.#env;
    if (!(await propose({ t: "archived", index: state().archived }))) {
      throw new Error("whether the archive is ahead of the log cannot be told now");
    }
    if (watermark <= state().applied) return;
    const problem = `group ${log.group}: the archive holds entries up to ${watermark}, and the log ends at ${state().applied}: this database belongs to other data, set DATABASE_URL to the right one or to an empty one`;
    foreign(problem);
    throw new ArchiveGap(problem);
  }

  async #snapshot(): Promise<void> {
    const { archive, log, logger, metrics, options, propose, state } = this.#env;
    this.#checkRunning();
    const { applied, commands, snapshot } = state();
    if (commands - snapshot.commands < options.snapshotEvery) return;
    const began = performance.now();
    const data = encodeSnapshot(state());
    try {
      await archive.saveSnapshot({ group: log.group, index: applied, data });
    } catch (error) {
      metrics.snapshot("failed");
      throw error;
    }
    metrics.snapshot("saved");
    await propose({ t: "archived", index: state().archived, snapshot: { index: applied, commands } });
    const ms = Math.round(performance.now() - began);
    logger.info("snapshot saved", { group: log.group, index: applied, bytes: data.length, ms });
  }

  /** What both a snapshot and the archive cover needs no place in the log. */
  async #truncate(): Promise<void> {
    const { log, state } = this.#env;
    const { archived, snapshot } = state();
    const before = Math.min(archived, snapshot.index) + 1;
    if (before <= 1 || before <= this.#truncated) return;
    await log.truncate(before);
    this.#truncated = before;
  }

  /** Not while the archive is away: this runs behind a pass that reached it. */
  async #evict(): Promise<void> {
    const { clock, log, logger, options, propose, reader, state } = this.#env;
    const now = clock();
    const everyMs = Math.min(EVICT_EVERY_MS, Math.max(options.evictIdleMs / 4, options.flushIntervalMs));
    if (now - this.#evictedAt < everyMs * 1000) return;
    this.#evictedAt = now;
    const unusedSince = now - options.evictIdleMs * 1000;
    const idle: string[] = [];
    for (const session of state().sessions.values()) {
      if (session.usedAt > unusedSince || reader.readSince(session.id, unusedSince)) continue;
      if (isEvictable(state(), session) && canReturn(session)) idle.push(session.id);
    }
    reader.forget(unusedSince);
    if (idle.length === 0) return;
    // Everything resident must be known to be in the archive before it leaves RAM.
    await this.#verify();
    for (let from = 0; from < idle.length; from += EVICT_AT_ONCE) {
      const sessions = idle.slice(from, from + EVICT_AT_ONCE);
      if (!(await propose({ t: "evict", sessions, unusedSince }))) return;
    }
    logger.info("idle sessions left RAM", { group: log.group, sessions: idle.length });
  }
}
