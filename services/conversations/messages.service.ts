/** @module Messages: appended through a group's leader, read back from it. */
import type { Context, Service } from "moleculer";
import type { Counter, Gauge, Histogram } from "prom-client";
import { MAX_CALL_BYTES } from "../../lib/bus-limits.ts";
import type { Draft } from "../../lib/conversation/commands.ts";
import { errorCode, FleetError } from "../../lib/errors.ts";
import { counter, durations, gauge } from "../../lib/metrics.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { defineService } from "../../lib/service.ts";
import type { ReadMessages, ReadMessagesResult } from "../raft/contract.ts";
import type { Appended, AppendMessage, ListMessages, Message, MessagePage } from "./contract.ts";
import { backpressure, GroupClient } from "./group-client.ts";
import { rejection, unknownSession } from "./rejections.ts";
import { Fields } from "./validation.ts";

const MAX_METADATA_BYTES = 64 * 1024;
const MAX_KEY_BYTES = 255;
const MAX_KIND_BYTES = 255;
/** Keys with this prefix are ours: the dispatcher's. */
const RESERVED_PREFIX = "fleetport:";
const DEFAULT_PAGE = 50;
const MAX_PAGE = 1000;
const MAX_PAGE_BYTES = 8 * 1024 * 1024;

type MessagesService = Service & {
  groups: GroupClient;
  /** Bytes of appends that are accepted here and not decided yet. */
  inflightBytes: number;
  appendSeconds: Histogram;
  readSeconds: Histogram;
  inflightGauge: Gauge;
  backpressureTotal: Counter;
};

type AppendDraft = Extract<Draft, { t: "append" }>;

export default defineService<MessagesService>({
  name: "sessions.messages",

  actions: {
    /** `AppendMessage` -> `Appended`; errors in the order of the contract's table. */
    append: {
      // Shapes are checked field by field below, so that each failure is the contract's 422 with its own sentence.
      params: {},
      async handler(this: MessagesService, ctx: Context<AppendMessage>): Promise<Appended> {
        const began = performance.now();
        try {
          const appended = await append(this, ctx.params);
          this.appendSeconds.observe({ status: "ok" }, (performance.now() - began) / 1000);
          return appended;
        } catch (error) {
          const status = errorCode(error) ?? "internal_error";
          this.appendSeconds.observe({ status }, (performance.now() - began) / 1000);
          throw error;
        }
      },
    },

    /** `ListMessages` -> `MessagePage`. */
    list: {
      params: {},
      async handler(this: MessagesService, ctx: Context<ListMessages>): Promise<MessagePage> {
        const wanted = parseList(ctx.params);
        const began = performance.now();
        let path: "leader" | "failed" = "failed";
        try {
          const page = await readPage(this.groups, wanted);
          path = "leader";
          return page;
        } catch (error) {
          // That there is no such session is an answer.
          if (errorCode(error) === "session_not_found") path = "leader";
          throw error;
        } finally {
          this.readSeconds.observe({ path }, (performance.now() - began) / 1000);
        }
      },
    },
  },

  created(this: MessagesService) {
    const { admission, config, metrics } = runtimeOf(this.broker);
    this.groups = new GroupClient(this.broker, {
      groups: config.groups,
      timeoutMs: config.appendTimeoutMs,
      admission,
    });
    this.inflightBytes = 0;
    this.appendSeconds = durations(metrics, {
      name: "append_duration_seconds",
      help: "Time from accepting an append to its answer, by outcome",
      labels: ["status"],
    });
    this.readSeconds = durations(metrics, {
      name: "read_duration_seconds",
      help: "Time to answer a page of messages, by who answered it, or until that failed",
      labels: ["path"],
    });
    this.inflightGauge = gauge(
      metrics,
      { name: "inflight_bytes", help: "Bytes of appends accepted here and not acknowledged yet" },
      (g) => g.set(this.inflightBytes),
    );
    this.backpressureTotal = counter(metrics, {
      name: "backpressure_total",
      help: "Appends refused because the node's byte budget was spent",
    });
  },

  stopped(this: MessagesService) {
    this.groups.close();
  },
});

async function append(service: MessagesService, params: unknown): Promise<Appended> {
  const { config } = runtimeOf(service.broker);
  const draft = parseAppend(params);
  const bytes = sizeOf(draft, config.maxContentBytes);
  if (service.inflightBytes + bytes > config.inflightBytes) {
    service.backpressureTotal.inc();
    throw backpressure();
  }
  service.inflightBytes += bytes;
  try {
    const result = await service.groups.propose(draft, draft.key !== undefined, bytes);
    if (result.kind === "deduped") return { message: result.message, deduped: true };
    if (result.kind === "rejected") throw rejection(result, draft.session);
    if (result.kind !== "appended") throw new Error(`an append was answered as ${result.kind}`);
    return {
      message: {
        id: result.id,
        session_id: draft.session,
        seq: result.seq,
        sender_id: draft.sender,
        kind: draft.kind,
        content: draft.content,
        metadata: draft.metadata,
        inserted_at: result.inserted_at,
      },
      deduped: false,
    };
  } finally {
    service.inflightBytes -= bytes;
  }
}

/** The command that an append asks for. Throws `invalid_message` with what was wrong. */
function parseAppend(params: unknown): AppendDraft {
  const fields = new Fields(params, "invalid_message");
  if (fields.has("sender_id")) fields.fail("sender_id cannot be given: say user_id or agent_id.");
  if (fields.has("user_id") === fields.has("agent_id")) {
    fields.fail("Exactly one of user_id and agent_id must be given, as the sender.");
  }
  const role = fields.has("user_id") ? "user" : "agent";
  const key = parseKey(fields);
  const expect = fields.optionalInteger("expected_seq", 0);
  return {
    t: "append",
    session: parseSession(params),
    role,
    sender: fields.id(`${role}_id`),
    kind: fields.has("kind") ? fields.text("kind", MAX_KIND_BYTES) : "text",
    content: fields.object("content"),
    metadata: fields.has("metadata") ? fields.object("metadata") : {},
    ...(key !== undefined && { key }),
    ...(expect !== undefined && { expect }),
  };
}

function parseKey(fields: Fields): string | undefined {
  if (!fields.has("idempotency_key")) return undefined;
  const key = fields.text("idempotency_key", MAX_KEY_BYTES);
  if (key.startsWith(RESERVED_PREFIX))
    fields.fail(`idempotency_key must not begin with "${RESERVED_PREFIX}".`);
  return key;
}

/** An id that no session can have names no session. */
function parseSession(params: unknown): string {
  const { session_id: id } = params as { session_id?: unknown };
  return typeof id === "string" ? id : "";
}

/** Bytes that an append counts for. Throws `content_too_large`. */
function sizeOf({ content, metadata }: AppendDraft, maxContentBytes: number): number {
  const contentBytes = Buffer.byteLength(JSON.stringify(content));
  if (contentBytes > maxContentBytes) {
    throw new FleetError(
      "content_too_large",
      `content is ${contentBytes} bytes of JSON, and may be at most ${maxContentBytes}.`,
    );
  }
  const metadataBytes = Buffer.byteLength(JSON.stringify(metadata));
  if (metadataBytes > MAX_METADATA_BYTES) {
    throw new FleetError(
      "content_too_large",
      `metadata is ${metadataBytes} bytes of JSON, and may be at most ${MAX_METADATA_BYTES}.`,
    );
  }
  return contentBytes + metadataBytes;
}

/** A page as callers ask for it: `limit` messages above `after`, or the last `limit` ones. */
interface PageRequest {
  readonly session: string;
  readonly after: number | null;
  readonly limit: number;
  readonly maxBytes: number;
}

function parseList(params: unknown): PageRequest {
  const fields = new Fields(params, "invalid_parameter");
  const session = parseSession(params);
  const maxBytes = fields.optionalInteger("max_bytes", 1, MAX_PAGE_BYTES) ?? MAX_PAGE_BYTES;
  if (fields.has("tail")) {
    if (fields.has("after_seq") || fields.has("limit"))
      fields.fail("tail cannot be combined with after_seq or limit.");
    return { session, after: null, limit: fields.integer("tail", 1, MAX_PAGE), maxBytes };
  }
  const after = fields.optionalInteger("after_seq", 0) ?? 0;
  return { session, after, limit: fields.optionalInteger("limit", 1, MAX_PAGE) ?? DEFAULT_PAGE, maxBytes };
}

/** Reads a page in parts that one answer of the bus can carry each. Throws `session_not_found`. */
async function readPage(
  groups: GroupClient,
  { session, after, limit, maxBytes }: PageRequest,
): Promise<MessagePage> {
  const group = groups.groupOf(session);
  const parts: Message[][] = [];
  let first: MessagePage | null = null;
  let count = 0;
  let bytes = 0;
  for (;;) {
    const edge = after === null ? (parts[0]?.[0]?.seq ?? 0) : (parts.at(-1)?.at(-1)?.seq ?? after);
    const request: ReadMessages = {
      session,
      ...(after === null ? { before: edge } : { after: edge }),
      limit: limit - count,
      max_bytes: Math.min(MAX_CALL_BYTES, maxBytes - bytes),
    };
    const part = await groups.ask<ReadMessagesResult>(group, "messages", request);
    if (!part) throw unknownSession(session);
    first ??= part;
    const messages = [...part.messages];
    const partBytes = messages.reduce((sum, message) => sum + Buffer.byteLength(JSON.stringify(message)), 0);
    // The first message of a page always fits; of a later part it may not.
    const fits = parts.length === 0 || bytes + partBytes <= maxBytes;
    if (fits && messages.length > 0) {
      if (after === null) parts.unshift(messages);
      else parts.push(messages);
      count += messages.length;
      bytes += partBytes;
    }
    const has_more = part.has_more || !fits;
    if (!fits || !part.has_more || count >= limit || bytes >= maxBytes) {
      // A tail is read downwards: what was appended after its first part is in none of them.
      const { last_seq } = after === null ? first : part;
      return { messages: parts.flat(), last_seq, has_more };
    }
  }
}
