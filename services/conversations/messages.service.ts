/** @module Messages: appended through a group's leader, read back from it. */
import type { Context, Service } from "moleculer";
import type { Counter, Gauge, Histogram } from "prom-client";
import type { Draft } from "../../lib/conversation/commands.ts";
import { errorCode, FleetError } from "../../lib/errors.ts";
import { counter, durations, gauge } from "../../lib/metrics.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { defineService } from "../../lib/service.ts";
import type { ReadMessages, ReadMessagesResult } from "../raft/contract.ts";
import type { Appended, AppendMessage, ListMessages, MessagePage } from "./contract.ts";
import { backpressure, GroupClient } from "./group-client.ts";
import { rejection, unknownSession } from "./rejections.ts";
import { Fields } from "./validation.ts";

const MAX_METADATA_BYTES = 64 * 1024;
const MAX_KEY_BYTES = 255;
const MAX_KIND_BYTES = 255;
/** Keys with this prefix are ours: the dispatcher's. */
const RESERVED_PREFIX = "fleetport:";
export const DEFAULT_PAGE = 50;
export const MAX_PAGE = 1000;
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
  name: "messages",

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
        const began = performance.now();
        const request = parseList(ctx.params);
        const page = await this.groups.ask<ReadMessagesResult>(
          this.groups.groupOf(request.session),
          "messages",
          request,
        );
        if (!page) throw unknownSession(request.session);
        this.readSeconds.observe({ path: "leader" }, (performance.now() - began) / 1000);
        return page;
      },
    },
  },

  created(this: MessagesService) {
    const { config, metrics } = runtimeOf(this.broker);
    this.groups = new GroupClient(this.broker, { groups: config.groups, timeoutMs: config.appendTimeoutMs });
    this.inflightBytes = 0;
    this.appendSeconds = durations(metrics, {
      name: "append_duration_seconds",
      help: "Time from accepting an append to its answer, by outcome",
      labels: ["status"],
    });
    this.readSeconds = durations(metrics, {
      name: "read_duration_seconds",
      help: "Time to answer a page of messages",
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
    const result = await service.groups.propose(draft, draft.key !== undefined);
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
export function parseAppend(params: unknown): AppendDraft {
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

function parseList(params: unknown): ReadMessages {
  const fields = new Fields(params, "invalid_parameter");
  const session = parseSession(params);
  const max_bytes = fields.optionalInteger("max_bytes", 1, MAX_PAGE_BYTES) ?? MAX_PAGE_BYTES;
  if (fields.has("tail")) {
    if (fields.has("after_seq") || fields.has("limit"))
      fields.fail("tail cannot be combined with after_seq or limit.");
    const tail = fields.integer("tail", 1, MAX_PAGE);
    return { session, tail, limit: tail, max_bytes };
  }
  return {
    session,
    after: fields.optionalInteger("after_seq", 0) ?? 0,
    limit: fields.optionalInteger("limit", 1, MAX_PAGE) ?? DEFAULT_PAGE,
    max_bytes,
  };
}
