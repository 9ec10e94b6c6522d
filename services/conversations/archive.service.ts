/** @module The archive of a node: its own connections to Postgres, and what is written and read through them. */
import { setTimeout as delay } from "node:timers/promises";
import type { Context, Service } from "moleculer";
import type { Counter } from "prom-client";
import { FleetError } from "../../lib/errors.ts";
import { counter, gauge } from "../../lib/metrics.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { defineService } from "../../lib/service.ts";
import { ArchiveDataError, ArchiveUnavailable } from "./archive/errors.ts";
import { ArchiveLink } from "./archive/link.ts";
import type { ArchiveBatch, ArchivedMessages, ArchiveStore } from "./archive/store.ts";
import { userSessions } from "./archive/user-sessions.ts";
import type {
  ArchiveChanged,
  ArchivedUserSessions,
  ArchiveStatus,
  ArchiveWritten,
  FoundSession,
  GetArchivedMessages,
  GetArchivedSession,
  GetUserSessions,
  GetWatermark,
  ListSnapshots,
  LoadedSnapshot,
  LoadSnapshot,
  SaveSnapshot,
  SnapshotIndexes,
} from "./contract.ts";

/** A start waits this long for the first answer of Postgres. */
const FIRST_TRY_MS = 1500;
const NO_DATABASE = "this node was started without a database";

type ArchiveService = Service & {
  /** Null: this node has no database. */
  link: ArchiveLink | null;
  errors: Counter;
  conflicts: Counter;
};

export default defineService<ArchiveService>({
  name: "archive",

  actions: {
    /** `ArchiveStatus`; never throws. */
    status: {
      params: {},
      handler(this: ArchiveService): ArchiveStatus {
        const problem = problemOf(this);
        return { available: problem === null, problem };
      },
    },

    /** `ArchiveBatch` -> `ArchiveWritten`. */
    write: {
      params: {
        group: "number",
        archivedIndex: "number",
        sessions: "array",
        messages: "array",
        cursors: "array",
      },
      async handler(this: ArchiveService, ctx: Context<ArchiveBatch>): Promise<ArchiveWritten> {
        try {
          const { conflicts } = await use(this, (store) => store.writeBatch(ctx.params));
          this.conflicts.inc(conflicts);
          return { kind: "written", conflicts };
        } catch (error) {
          if (error instanceof ArchiveDataError) return { kind: "refused", problem: error.message };
          throw unavailable(error);
        }
      },
    },

    /** `GetWatermark` -> number. */
    watermark: {
      params: { group: "number" },
      handler(this: ArchiveService, ctx: Context<GetWatermark>): Promise<number> {
        return read(this, (store) => store.watermark(ctx.params.group));
      },
    },

    /** `GetArchivedSession` -> `FoundSession`. */
    session: {
      params: { id: "string", group: "number" },
      handler(this: ArchiveService, ctx: Context<GetArchivedSession>): Promise<FoundSession> {
        const { group, id } = ctx.params;
        return read(this, (store) => store.find(group, id));
      },
    },

    /** `GetArchivedMessages` -> `ArchivedMessages`. */
    messages: {
      params: { session: "string", after: "number", limit: "number", max_bytes: "number" },
      handler(this: ArchiveService, ctx: Context<GetArchivedMessages>): Promise<ArchivedMessages> {
        const { session, after, limit, max_bytes } = ctx.params;
        return read(this, (store) => store.messages(session, after, limit, max_bytes));
      },
    },

    /** `GetUserSessions` -> `ArchivedUserSessions`. */
    userSessions: {
      params: {
        user_id: "string",
        status: { type: "string", optional: true },
        position: { type: "object", optional: true },
        limit: "number",
      },
      handler(this: ArchiveService, ctx: Context<GetUserSessions>): Promise<ArchivedUserSessions> {
        return read(this, (store) => userSessions(store, ctx.params));
      },
    },

    /** `SaveSnapshot` -> nothing. */
    saveSnapshot: {
      params: { group: "number", index: "number", data: { type: "class", instanceOf: Uint8Array } },
      async handler(this: ArchiveService, ctx: Context<SaveSnapshot>): Promise<void> {
        const { group, index, data } = ctx.params;
        try {
          await use(this, (store) => store.saveSnapshot(group, index, data));
        } catch (error) {
          throw unavailable(error);
        }
      },
    },

    /** `ListSnapshots` -> `SnapshotIndexes`. */
    snapshots: {
      params: { group: "number" },
      handler(this: ArchiveService, ctx: Context<ListSnapshots>): Promise<SnapshotIndexes> {
        return read(this, async (store) => {
          const stored = await store.snapshots(ctx.params.group);
          return { indexes: stored.map(({ index }) => index) };
        });
      },
    },

    /** `LoadSnapshot` -> `LoadedSnapshot`. */
    snapshot: {
      params: { group: "number", index: "number" },
      handler(this: ArchiveService, ctx: Context<LoadSnapshot>): Promise<LoadedSnapshot> {
        const { group, index } = ctx.params;
        return read(this, async (store) => {
          const stored = await store.snapshots(group);
          const data = await stored.find((snapshot) => snapshot.index === index)?.load();
          return { data: data ?? null };
        });
      },
    },
  },

  created(this: ArchiveService) {
    const { config, metrics } = runtimeOf(this.broker);
    this.errors = counter(metrics, {
      name: "archive_errors_total",
      help: "Calls to the archive that failed, and batches that it refused.",
    });
    this.conflicts = counter(metrics, {
      name: "archive_conflicts_total",
      help: "Messages that met another message with the same session and seq in the archive.",
    });
    gauge(
      metrics,
      { name: "archive_available", help: "1 while this node reaches the archive, else 0" },
      (g) => g.set(problemOf(this) === null ? 1 : 0),
    );
    this.link =
      config.databaseUrl === null
        ? null
        : new ArchiveLink({
            url: config.databaseUrl,
            poolSize: config.poolSize,
            flushBatch: config.flushBatch,
            snapshotKeep: config.snapshotKeep,
            migrate: config.migrateOnBoot,
            logger: this.logger,
            onChange: (problem) => tell(this, problem),
          });
  },

  async started(this: ArchiveService) {
    // Groups that begin ask the archive whether they are new: a moment's patience gets most of them an answer.
    if (this.link) await Promise.race([this.link.start(), delay(FIRST_TRY_MS, undefined, { ref: false })]);
    else tell(this, NO_DATABASE);
  },

  async stopped(this: ArchiveService) {
    await this.link?.stop();
  },
});

/** Why the archive cannot be used; null when it can. */
function problemOf({ link }: ArchiveService): string | null {
  return link ? link.problem : NO_DATABASE;
}

/** Calls the store; counts what fails. Throws what the store throws. */
async function use<T>(service: ArchiveService, call: (store: ArchiveStore) => Promise<T>): Promise<T> {
  try {
    if (!service.link) throw new ArchiveUnavailable(`the archive is not available: ${NO_DATABASE}`);
    return await service.link.run(call);
  } catch (error) {
    service.errors.inc();
    throw error;
  }
}

/** As `use`, for reads: what is stored and not whole is as bad as a Postgres that is away. */
async function read<T>(service: ArchiveService, call: (store: ArchiveStore) => Promise<T>): Promise<T> {
  try {
    return await use(service, call);
  } catch (error) {
    if (!(error instanceof ArchiveDataError)) throw unavailable(error);
    service.logger.error("the archive holds what it should not, and a person has to look", {
      problem: error.message,
    });
    throw new FleetError("archive_unavailable", `${error.message}.`, {}, { cause: error });
  }
}

/** The contract's error when Postgres is away; its address stays in the cause. Other errors are as they were. */
function unavailable(error: unknown): unknown {
  if (!(error instanceof ArchiveUnavailable)) return error;
  const sentence = "The archive cannot be asked at the moment; try again.";
  return new FleetError("archive_unavailable", sentence, {}, { cause: error });
}

function tell(service: ArchiveService, problem: string | null): void {
  const node = service.broker.nodeID;
  const changed: ArchiveChanged = problem === null ? { node } : { node, problem };
  const event = problem === null ? "archive.available" : "archive.unavailable";
  service.broker.broadcast(event, changed).catch((error: unknown) => {
    service.logger.warn("an event of the archive was not sent", { event, error: String(error) });
  });
}
