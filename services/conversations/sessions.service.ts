/** @module Sessions: created, shown, listed, read and archived through their groups' leaders. */
import { setTimeout } from "node:timers/promises";
import { type Context, Errors, type Service } from "moleculer";
import { systemClock } from "../../lib/clock.ts";
import { errorCode, FleetError } from "../../lib/errors.ts";
import { uuidv7 } from "../../lib/ids.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { defineService } from "../../lib/service.ts";
import type { GroupHeads, GroupHeadsResult, UserSessions, UserSessionsResult } from "../raft/contract.ts";
import type {
  ArchivedUserSessions,
  ArchiveSession,
  CreatedSession,
  CreateSession,
  GetHeads,
  GetSession,
  GetUserSessions,
  Heads,
  ListSessions,
  ReadResult,
  ReadSession,
  Session,
  SessionPage,
} from "./contract.ts";
import { GroupClient } from "./group-client.ts";
import { rejection, unknownSession } from "./rejections.ts";
import { decodeCursor, encodeCursor } from "./session-cursor.ts";
import { listSessions } from "./session-list.ts";
import { Fields } from "./validation.ts";

const MAX_SESSIONS = 50;
const MAX_METADATA_BYTES = 64 * 1024;
const MAX_HEADS = 1000;
const NODE_TIMEOUT_MS = 1000;
const RETRY_MS = 50;

type SessionsService = Service & { groups: GroupClient };

export default defineService<SessionsService>({
  name: "sessions",

  actions: {
    /** `CreateSession` -> `CreatedSession`. */
    create: {
      params: {},
      async handler(this: SessionsService, ctx: Context<CreateSession>): Promise<CreatedSession> {
        const fields = new Fields(ctx.params, "invalid_session");
        const user = fields.id("user_id");
        const agent = fields.id("agent_id");
        if (user === agent)
          fields.fail("user_id and agent_id must differ: a message's sender would be unclear.");
        const metadata = fields.has("metadata") ? fields.object("metadata") : {};
        const bytes = Buffer.byteLength(JSON.stringify(metadata));
        if (bytes > MAX_METADATA_BYTES) {
          throw new FleetError(
            "content_too_large",
            `metadata may be at most ${MAX_METADATA_BYTES} bytes of JSON.`,
          );
        }
        const chosen = fields.has("id") ? fields.sessionId("id") : null;
        const session = chosen ?? uuidv7(systemClock());
        // Creating twice is creating once, so it may be sent again until the leader's answer is known.
        const result = await this.groups.propose(
          { t: "create", session, user, agent, metadata, ...(chosen === null && { fresh: true as const }) },
          true,
          bytes,
        );
        if (result.kind === "rejected") throw rejection(result, session);
        if (result.kind !== "created") throw new Error(`a create was answered as ${result.kind}`);
        return { session: result.session, created: result.created || chosen === null };
      },
    },

    /** `GetSession` -> `Session`. */
    get: {
      params: { id: "string" },
      async handler(this: SessionsService, ctx: Context<GetSession>): Promise<Session> {
        const { id } = ctx.params;
        const session = await this.groups.ask<Session | null>(this.groups.groupOf(id), "session", { id });
        if (!session) throw unknownSession(id);
        return session;
      },
    },

    /** `ListSessions` -> `SessionPage`: the archive, and every node for the groups that it leads. */
    list: {
      params: {},
      async handler(this: SessionsService, ctx: Context<ListSessions>): Promise<SessionPage> {
        const fields = new Fields(ctx.params, "invalid_parameter");
        const user_id = fields.id("user_id");
        const limit = fields.optionalInteger("limit", 1, MAX_SESSIONS) ?? MAX_SESSIONS;
        const { status, cursor } = ctx.params;
        if (status !== undefined && status !== "active" && status !== "archived") {
          fields.fail('status must be "active" or "archived".');
        }
        const position = cursor === undefined ? null : decodeCursor(cursor);
        if (cursor !== undefined && !position)
          fields.fail("cursor must be the next_cursor of the page before.");

        const asked: GetUserSessions = {
          user_id,
          limit,
          ...(status !== undefined && { status }),
          ...(position && { position }),
        };
        const { appendTimeoutMs } = runtimeOf(this.broker).config;
        const sources = {
          archived: (wanted: GetUserSessions) => archivedSessions(this, ctx, wanted),
          resident: (wanted: UserSessions) => residentSessions(this, ctx, wanted),
        };
        const { sessions, next, partial } = await listSessions(sources, asked, appendTimeoutMs);
        return { sessions, next_cursor: next && encodeCursor(next), partial };
      },
    },

    /** `ArchiveSession` -> `Session`. */
    archive: {
      params: { id: "string" },
      async handler(this: SessionsService, ctx: Context<ArchiveSession>): Promise<Session> {
        const { id } = ctx.params;
        const result = await this.groups.propose({ t: "archive", session: id }, true);
        if (result.kind === "rejected") throw rejection(result, id);
        if (result.kind !== "session") throw new Error(`an archive was answered as ${result.kind}`);
        return result.session;
      },
    },

    /** `ReadSession` -> `ReadResult`. */
    read: {
      params: { id: "string" },
      async handler(this: SessionsService, ctx: Context<ReadSession>): Promise<ReadResult> {
        const fields = new Fields(ctx.params, "invalid_read");
        const { id } = ctx.params;
        const user = fields.id("user_id");
        const seq = fields.optionalInteger("last_seq", 0) ?? 0;
        const result = await this.groups.propose({ t: "read", session: id, user, seq }, true);
        if (result.kind === "rejected") throw rejection(result, id);
        if (result.kind !== "session") throw new Error(`a read was answered as ${result.kind}`);
        return {
          session: result.session,
          cursor: { user_id: user, last_seq: result.cursor, unread_count: result.unread },
        };
      },
    },

    /** `GetHeads` -> `Heads`; groups that do not answer are left out. */
    heads: {
      params: { ids: { type: "array", items: "string", max: MAX_HEADS } },
      async handler(this: SessionsService, ctx: Context<GetHeads>): Promise<Heads> {
        const byGroup = Map.groupBy(ctx.params.ids, (id) => this.groups.groupOf(id));
        const heads = new Map<string, { last_seq: number; epoch: number } | null>();
        await Promise.all(
          [...byGroup].map(async ([group, ids]) => {
            const params: GroupHeads = { ids };
            const answer = await this.groups.ask<GroupHeadsResult>(group, "heads", params).catch(() => null);
            if (!answer) return;
            ids.forEach((id, i) => {
              const last_seq = answer.last_seqs[i];
              heads.set(id, typeof last_seq === "number" ? { last_seq, epoch: answer.epoch } : null);
            });
          }),
        );
        return { heads: Object.fromEntries(heads) };
      },
    },
  },

  created(this: SessionsService) {
    const { admission, config } = runtimeOf(this.broker);
    this.groups = new GroupClient(this.broker, {
      groups: config.groups,
      timeoutMs: config.appendTimeoutMs,
      admission,
    });
  },

  stopped(this: SessionsService) {
    this.groups.close();
  },
});

/** The archive's page; null when it does not answer within half the time that a caller waits. */
async function archivedSessions(
  service: SessionsService,
  ctx: Context,
  asked: GetUserSessions,
): Promise<ArchivedUserSessions | null> {
  const { nodeID } = service.broker;
  const timeout = runtimeOf(service.broker).config.appendTimeoutMs / 2;
  try {
    const action = "archive.userSessions";
    return await ctx.call<ArchivedUserSessions, GetUserSessions>(action, asked, { nodeID, timeout });
  } catch (error) {
    const away =
      errorCode(error) === "archive_unavailable" || error instanceof Errors.MoleculerRetryableError;
    if (!away) throw error;
    return null;
  }
}

/** What the nodes say, for all groups; asks again while some group has no leader, until the time is over. */
async function residentSessions(
  service: SessionsService,
  ctx: Context,
  asked: UserSessions,
): Promise<readonly UserSessionsResult[]> {
  const { config } = runtimeOf(service.broker);
  const deadline = performance.now() + config.appendTimeoutMs;
  for (;;) {
    const { endpoints } = service.broker.registry.getActionEndpoints("raft.topology.userSessions");
    const answers = await Promise.all(
      endpoints.map(({ id: nodeID }) =>
        ctx
          .call<UserSessionsResult, UserSessions>("raft.topology.userSessions", asked, {
            nodeID,
            timeout: NODE_TIMEOUT_MS,
          })
          .catch(() => null),
      ),
    );
    const answered = answers.filter((answer) => answer !== null);
    const covered = new Set(answered.flatMap(({ groups }) => groups));
    if (covered.size === config.groups) return answered;
    if (performance.now() + RETRY_MS >= deadline) {
      const missing = config.groups - covered.size;
      throw new FleetError(
        "leader_unavailable",
        `${missing} groups have no leader at the moment; try again.`,
      );
    }
    await setTimeout(RETRY_MS);
  }
}
