/** @module What a simulated world is exposed to, and the count of what happened in it. */
import type { ArchiverOptions } from "../../services/raft/archiver.ts";
import type { Prng } from "../helpers/prng.ts";

/** How bad the weather is: probabilities, drawn anew for each world so that each has a character of its own. */
export interface Climate {
  /** A request to the log is lost. */
  readonly lost: number;
  /** A request to the log arrives twice. */
  readonly doubled: number;
  /** The log's answer is lost. */
  readonly answerLost: number;
  /** Bounds and inspect fail. */
  readonly unreadable: number;
  /** Bounds are those of a copy that lags. */
  readonly stale: number;
  /** A call between caller and node, or its answer, is lost. */
  readonly callLost: number;
  /** A leader whom its own view has demoted hands over (else it goes on). */
  readonly release: number;
  readonly abandon: number;
  /** Weights of what happens to nodes. */
  readonly views: number;
  readonly pauses: number;
  readonly crashes: number;
  readonly outages: number;
  readonly archiveOutages: number;
  /** A request to the archive is lost; its answer is. */
  readonly archiveLost: number;
  readonly archiveAnswerLost: number;
  /** A snapshot is damaged on its way to whoever recovers. */
  readonly damaged: number;
  /** An answer that comes is waited for too shortly. */
  readonly impatience: number;
  readonly archiver: ArchiverOptions;
}

export function drawClimate(random: Prng): Climate {
  return {
    lost: random.pick([0, 0.02, 0.15]),
    doubled: random.pick([0, 0.1, 0.3]),
    answerLost: random.pick([0, 0.05, 0.3]),
    unreadable: random.pick([0, 0.1, 0.5]),
    stale: random.pick([0, 0.3]),
    callLost: random.pick([0, 0.05]),
    release: random.pick([0, 0.2, 1]),
    abandon: random.pick([0, 0.4]),
    views: random.pick([0.05, 0.3, 1]),
    pauses: random.pick([0, 0.15, 0.6]),
    crashes: random.pick([0, 0.1, 0.3]),
    outages: random.pick([0, 0.15]),
    archiveOutages: random.pick([0, 0, 0.15]),
    archiveLost: random.pick([0, 0.02, 0.1]),
    archiveAnswerLost: random.pick([0, 0.02, 0.1]),
    damaged: random.pick([0, 0.3]),
    impatience: random.pick([0, 0.05, 0.2]),
    archiver: {
      flushIntervalMs: random.pick([5, 30, 200]),
      flushBatch: random.pick([1, 3, 5000]),
      snapshotEvery: random.pick([4, 12, 1_000_000]),
      evictIdleMs: random.pick([2, 100, 1_000_000]),
    },
  };
}

/** How often each thing happened: proof that the worlds visit the paths that matter. */
export interface Stats {
  steps: number;
  claims: number;
  hotPromotions: number;
  led: number;
  settled: number;
  not_leader: number;
  unavailable: number;
  maybe: number;
  too_large: number;
  full: number;
  fenced: number;
  released: number;
  abandoned: number;
  releases: number;
  abandons: number;
  crashes: number;
  pauses: number;
  observedForeign: number;
  unknown: number;
  duplicateAcks: number;
  latePublishes: number;
  orphanPublishes: number;
  fencedByOwn: number;
  definitelyUnavailable: number;
  severalLeaders: number;
  entries: number;
  archive_unavailable: number;
  denied: number;
  pages: number;
  lookups: number;
  hydrates: number;
  outdatedHydrates: number;
  evictions: number;
  dedupedByArchive: number;
  archiveWrites: number;
  racingWrites: number;
  orphanWrites: number;
  lateWrites: number;
  archiveAway: number;
  snapshots: number;
  damagedSnapshots: number;
  refusedSnapshots: number;
  truncations: number;
  fellBehind: number;
  vanished: number;
  vanishedOwn: number;
  recoveredFromReplica: number;
  recoveredFromSnapshot: number;
  recoveredFromLog: number;
  recoveryGaps: number;
}

export function noStats(): Stats {
  return {
    steps: 0,
    claims: 0,
    hotPromotions: 0,
    led: 0,
    settled: 0,
    not_leader: 0,
    unavailable: 0,
    maybe: 0,
    too_large: 0,
    full: 0,
    fenced: 0,
    released: 0,
    abandoned: 0,
    releases: 0,
    abandons: 0,
    crashes: 0,
    pauses: 0,
    observedForeign: 0,
    unknown: 0,
    duplicateAcks: 0,
    latePublishes: 0,
    orphanPublishes: 0,
    fencedByOwn: 0,
    definitelyUnavailable: 0,
    severalLeaders: 0,
    entries: 0,
    archive_unavailable: 0,
    denied: 0,
    pages: 0,
    lookups: 0,
    hydrates: 0,
    outdatedHydrates: 0,
    evictions: 0,
    dedupedByArchive: 0,
    archiveWrites: 0,
    racingWrites: 0,
    orphanWrites: 0,
    lateWrites: 0,
    archiveAway: 0,
    snapshots: 0,
    damagedSnapshots: 0,
    refusedSnapshots: 0,
    truncations: 0,
    fellBehind: 0,
    vanished: 0,
    vanishedOwn: 0,
    recoveredFromReplica: 0,
    recoveredFromSnapshot: 0,
    recoveredFromLog: 0,
    recoveryGaps: 0,
  };
}
