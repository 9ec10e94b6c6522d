/** @module Leaders and followers of one group over a real log and a real archive, without nodes around them. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pLimit from "p-limit";
import type { GroupState } from "../../lib/conversation/state.ts";
import { openEmitterFanout } from "../../lib/fanout/emitter.ts";
import type { ArchiverOptions } from "../../services/raft/archiver.ts";
import type { LogEngine } from "../../services/raft/engine/engine.ts";
import { openSqliteEngine } from "../../services/raft/engine/sqlite.ts";
import { Follower, type FollowerHooks } from "../../services/raft/follower.ts";
import { HotMessages } from "../../services/raft/hot-messages.ts";
import type { EndReason } from "../../services/raft/leader.ts";
import { LeaderDriver } from "../../services/raft/leader-driver.ts";
import { recoverState } from "../../services/raft/recovery.ts";
import { type TestArchive, testArchive } from "./archive-port.ts";
import { freshDatabase } from "./database.ts";
import { quietLogger, quietMetrics } from "./quiet.ts";

export const LEASE_MS = 150;

interface CandidateOptions extends Partial<ArchiverOptions> {
  /** How long an answer of the log counts. */
  readonly leaseMs?: number;
}

export interface Candidate {
  readonly leader: LeaderDriver;
  readonly ends: EndReason[];
  readonly broken: Error[];
  /** What the archiver said of itself: a problem, or null when it was over. */
  readonly stalls: (string | null)[];
}

/** Archives only when it is told to. */
const NEVER_MS = 2_000_000_000;

export class OneLog {
  readonly folder: string;
  readonly engine: LogEngine;
  readonly archive: TestArchive;
  readonly #candidates: Candidate[] = [];

  private constructor(folder: string, engine: LogEngine, archive: TestArchive) {
    this.folder = folder;
    this.engine = engine;
    this.archive = archive;
  }

  static async open(): Promise<OneLog> {
    const folder = await mkdtemp(join(tmpdir(), "fleet-leader-"));
    const engine = await openSqliteEngine({ dataDir: folder });
    await engine.provision(1);
    return new OneLog(folder, engine, await testArchive(await freshDatabase()));
  }

  /** A leader-to-be of group 0. */
  async candidate(
    node: string,
    state: GroupState,
    { leaseMs = LEASE_MS, ...options }: CandidateOptions = {},
  ): Promise<Candidate> {
    const ends: EndReason[] = [];
    const broken: Error[] = [];
    const stalls: (string | null)[] = [];
    const leader = new LeaderDriver(
      {
        node,
        log: await this.engine.open(0),
        fanout: openEmitterFanout(this.folder, (error) => broken.push(error as Error)),
        hot: new HotMessages(1_000_000),
        archive: this.archive.port,
        archiver: {
          options: {
            flushIntervalMs: NEVER_MS,
            flushBatch: 5000,
            snapshotEvery: 100_000,
            evictIdleMs: 86_400_000,
            ...options,
          },
          limit: pLimit(1),
          stalled: (problem) => stalls.push(problem),
          foreign: (problem) => stalls.push(problem),
        },
        logger: quietLogger,
        metrics: quietMetrics,
        slots: { run: (task) => task() },
        leaseMs,
        inflightBytes: 1_000_000,
        hint: () => null,
        ended: (reason) => ends.push(reason),
        broken: (error) => broken.push(error),
      },
      state,
    );
    const candidate = { leader, ends, broken, stalls };
    this.#candidates.push(candidate);
    return candidate;
  }

  /** A candidate that has claimed the group, from a copy of what the log holds. */
  async leader(node: string, options: Partial<ArchiverOptions> = {}): Promise<Candidate> {
    const candidate = await this.candidate(node, await this.recovered(), options);
    assert.ok(await candidate.leader.lead());
    return candidate;
  }

  /** A copy of what the log holds, made as a follower makes it. */
  async recovered(): Promise<GroupState> {
    const follower = await this.follower(null);
    assert.ok(await follower.caughtUp());
    return follower.stop();
  }

  /** A follower that runs; null: it recovers its state by itself. */
  async follower(state: GroupState | null, seen: Partial<FollowerHooks> = {}): Promise<Follower> {
    const log = await this.engine.open(0);
    const fail = (what: unknown) => assert.fail(String(what));
    const follower = new Follower(log, state, {
      recover: () =>
        recoverState(log, {
          replica: async () => null,
          archive: this.archive.port,
          logger: quietLogger,
          refused: () => undefined,
        }),
      diverged: fail,
      halted: fail,
      corrupt: fail,
      unavailable: fail,
      ...seen,
    });
    follower.start();
    return follower;
  }

  async close(): Promise<void> {
    for (const { leader } of this.#candidates) leader.abandon();
    await this.archive.store.close();
    await this.engine.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
