/** @module What the raft room counts, as the contract names it (section 9). */
import type { Registry } from "prom-client";
import { counter, durations, gauge } from "../../lib/metrics.ts";
import type { EngineStatus } from "./engine/engine.ts";

/** State of a node's replicas when it is scraped. */
export interface RaftGauges {
  readonly replicas: readonly {
    readonly group: number;
    readonly leads: boolean;
    readonly applied: number;
    readonly archived: number;
  }[];
  /** Messages of the groups led here that are not in the archive yet. */
  readonly pendingMessages: number;
  /** Longest time that something has waited for the archive, in seconds. */
  readonly archiveLagSeconds: number;
  readonly residentSessions: number;
  readonly hotBytes: number;
  /** Groups led here whose archiver stands still. */
  readonly stalledGroups: number;
  /** Replicas here that are halted, or cannot recover now. */
  readonly haltedGroups: number;
  /** Null until the log engine is open. */
  readonly engine: EngineStatus | null;
}

export class RaftMetrics {
  readonly #commit;
  readonly #logBytes;
  readonly #fenced;
  readonly #changes;
  readonly #divergence;
  readonly #commands;
  readonly #snapshots;

  constructor(registry: Registry, read: () => RaftGauges) {
    this.#commit = durations(registry, {
      name: "commit_duration_seconds",
      help: "Time from sending a log entry to the engine's acknowledgement",
    });
    this.#logBytes = counter(registry, {
      name: "log_bytes",
      help: "Bytes of log entries committed by this node",
    });
    this.#fenced = counter(registry, {
      name: "fenced_writes_total",
      help: "Entries refused because another leader had written",
    });
    this.#changes = counter(registry, {
      name: "leader_changes_total",
      help: "Times that this node began to lead a group",
    });
    this.#divergence = counter(registry, {
      name: "state_divergence_total",
      help: "Times that a replica's state differed from the leader's and was rebuilt",
    });
    this.#commands = counter(registry, {
      name: "commands_total",
      help: "Commands committed by leaders on this node",
    });
    this.#snapshots = counter(registry, {
      name: "snapshots_total",
      help: "Snapshots of groups: saved and read back, failed, or refused when one was needed",
      labels: ["status"],
    });
    gauge(
      registry,
      {
        name: "group_role",
        help: "1 where this node leads the group, 0 where it follows",
        labels: ["group"],
      },
      (g) => {
        g.reset();
        for (const { group, leads } of read().replicas) g.set({ group }, leads ? 1 : 0);
      },
    );
    gauge(
      registry,
      { name: "group_applied_index", help: "Last log index applied", labels: ["group"] },
      (g) => {
        g.reset();
        for (const { group, applied } of read().replicas) g.set({ group }, applied);
      },
    );
    gauge(
      registry,
      {
        name: "group_archived_index",
        help: "Log index up to which the archive holds the group",
        labels: ["group"],
      },
      (g) => {
        g.reset();
        for (const { group, archived } of read().replicas) g.set({ group }, archived);
      },
    );
    gauge(
      registry,
      { name: "archive_lag_seconds", help: "How long the oldest change led here has waited for the archive" },
      (g) => g.set(read().archiveLagSeconds),
    );
    gauge(
      registry,
      { name: "archive_pending_messages", help: "Messages of groups led here that are not archived yet" },
      (g) => g.set(read().pendingMessages),
    );
    gauge(
      registry,
      {
        name: "groups_stalled",
        help: "Groups led here whose archive stands still until a person has looked",
      },
      (g) => g.set(read().stalledGroups),
    );
    gauge(
      registry,
      { name: "groups_halted", help: "Copies of groups here that are halted, or cannot recover now" },
      (g) => g.set(read().haltedGroups),
    );
    gauge(
      registry,
      { name: "engine_connected", help: "1 while the log engine can be reached, else 0" },
      (g) => g.set(read().engine?.connected ? 1 : 0),
    );
    gauge(
      registry,
      { name: "engine_warnings", help: "Warnings of the log engine that fleet status shows" },
      (g) => g.set(read().engine?.warnings.length ?? 0),
    );
    gauge(registry, { name: "resident_sessions", help: "Sessions in RAM in the groups led here" }, (g) =>
      g.set(read().residentSessions),
    );
    gauge(registry, { name: "hot_bytes", help: "Bytes of message bodies cached in RAM" }, (g) =>
      g.set(read().hotBytes),
    );
  }

  commit(ms: number, bytes: number): void {
    this.#commit.observe(ms / 1000);
    this.#logBytes.inc(bytes);
  }

  applied(commands: number): void {
    this.#commands.inc(commands);
  }

  fenced(): void {
    this.#fenced.inc();
  }

  ledAgain(): void {
    this.#changes.inc();
  }

  snapshot(status: "saved" | "failed" | "refused"): void {
    this.#snapshots.inc({ status });
  }

  diverged(): void {
    this.#divergence.inc();
  }
}
