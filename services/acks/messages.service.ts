/** @module The console's messages: what this node sends, and the messages of all nodes as its agent has them. */
import { join } from "node:path";
import type { Context, Service } from "moleculer";
import { systemClock } from "../../lib/clock.ts";
import { AgentAccess } from "../../lib/corrosion/agent-access.ts";
import type { CorrosionClient } from "../../lib/corrosion/client/http.ts";
import { asFailure, CorrosionError, failureType } from "../../lib/corrosion/failures.ts";
import { regionOf } from "../../lib/regions.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { defineService } from "../../lib/service.ts";
import { periodicJob } from "../../mixins/periodic-job.ts";
import type { ExperimentControl } from "../analytics/contract.ts";
import type { MessageUpdate } from "../corrosion/contract.ts";
import type { AckCounted, MessageList, Pruned, RegionCount, SendMessage, SentMessage } from "./contract.ts";
import { expectedNodes, ownAckEndpoint } from "./known-nodes.ts";
import { CurrentRun } from "./messages/current-run.ts";
import { countRegions, latestRows, listRows, parseBefore, pruneRows, rowsOfRegion } from "./messages/rows.ts";
import { type Sender, send, type Written } from "./messages/send.ts";
import { openSequence, type Sequence } from "./messages/sequence.ts";
import { Unsettled } from "./messages/unsettled.ts";
import { record } from "./recording.ts";

const PRUNE_MS = 3_600_000;
const LIMIT = { type: "number", integer: true, min: 1, max: 500, optional: true, default: 100 };

type MessagesService = Service & {
  access: AgentAccess;
  unsettled: Unsettled;
  run: CurrentRun;
  sender: Sender;
  /** Null while its file was not read yet. */
  sequence: Promise<Sequence> | null;
};

export default defineService<MessagesService>({
  name: "messages",

  mixins: [
    periodicJob<MessagesService>({
      name: "prune messages",
      everyMs: PRUNE_MS,
      async run() {
        try {
          await prune(this);
        } catch (error) {
          if (failureType(error) !== "agent_unavailable") throw error;
          this.logger.debug("own messages are pruned later", { reason: String(error) });
        }
      },
    }),
  ],

  actions: {
    /** `SendMessage` -> `SentMessage`. Throws `CorrosionError`; after `timeout` it may have been sent. */
    send: {
      params: {
        content: "string",
        experiment_id: { type: "string", optional: true },
        index: { type: "number", integer: true, optional: true },
      },
      handler(ctx: Context<SendMessage>): Promise<SentMessage> {
        const run = ctx.params.experiment_id ?? this.run.at(performance.now());
        return send(this.sender, { ...ctx.params, ...(run !== null && { experiment_id: run }) });
      },
    },

    /** The number of what this node sends next, kept before it is told: drills are numbered with the messages. */
    number: {
      params: {},
      handler(): Promise<number> {
        return nextNumber(this, Math.floor(systemClock() / 1000));
      },
    },

    /** `{limit?, before?}` -> `MessageList`. */
    list: {
      params: { limit: LIMIT, before: { type: "string", optional: true, convert: true } },
      async handler(ctx: Context<{ limit: number; before?: string }>): Promise<MessageList> {
        const { before, limit } = ctx.params;
        const place = before === undefined ? null : parseBefore(before);
        if (before !== undefined && place === null) {
          const problem = "before is neither a sequence nor the pk of a message";
          throw new CorrosionError("invalid_request", `${problem}.`, { fields: { before: problem } });
        }
        return listed(await withClient(this, (client) => listRows(client, limit, place)));
      },
    },

    /** The newest message of each node: `MessageList`. */
    latest: {
      params: {},
      async handler(): Promise<MessageList> {
        return listed(await withClient(this, latestRows));
      },
    },

    /** `RegionCount[]`, most messages first. */
    regions: {
      params: {},
      handler(): Promise<RegionCount[]> {
        return withClient(this, countRegions);
      },
    },

    /** `{region, limit?}` -> `MessageList`. */
    byRegion: {
      params: { region: "string", limit: LIMIT },
      async handler(ctx: Context<{ region: string; limit: number }>): Promise<MessageList> {
        const { limit, region } = ctx.params;
        return listed(await withClient(this, (client) => rowsOfRegion(client, region, limit)));
      },
    },

    /** Deletes this node's own rows over MESSAGE_KEEP, everywhere: `Pruned`. */
    prune: {
      params: {},
      async handler(): Promise<Pruned> {
        return { deleted: await prune(this) };
      },
    },
  },

  events: {
    message_updates(ctx: Context<MessageUpdate>) {
      const update = ctx.params;
      if (update.node_id !== this.broker.nodeID || !("row" in update)) return;
      if (update.row.node_id === this.broker.nodeID) this.unsettled.settle(update.row.pk);
    },

    ack_counted(ctx: Context<AckCounted>) {
      if (ctx.params.node_id === this.broker.nodeID) this.unsettled.settle(ctx.params.pk);
    },

    experiment_control(ctx: Context<ExperimentControl>) {
      this.run.take(ctx.params, performance.now());
    },
  },

  created() {
    this.access = new AgentAccess(this.broker);
    this.unsettled = new Unsettled();
    this.run = new CurrentRun();
    this.sequence = null;
    this.sender = senderOf(this);
  },

  stopped() {
    this.unsettled.close();
  },
});

function senderOf(service: MessagesService): Sender {
  const { access, broker, unsettled } = service;
  const { nodeID } = broker;
  const tracker = (action: string, params: object) =>
    broker.call(`acks.tracker.${action}`, params, { nodeID });
  return {
    nodeId: nodeID,
    region: regionOf(nodeID),
    unsettled,
    deadlineMs: runtimeOf(broker).config.console.ack.deadlineMs,
    endpoint: () => ownAckEndpoint(broker),
    client: () => access.client(),
    expected: () => expectedNodes(broker),
    number: (nowMs) => nextNumber(service, nowMs),
    track: (track) => tracker("track", track),
    untrack: (pk) => tracker("untrack", { pk }),
    written: (written) => recordSent(service, written),
  };
}

async function nextNumber(service: MessagesService, nowMs: number): Promise<number> {
  const file = join(runtimeOf(service.broker).config.console.dataDir, "sequence");
  service.sequence ??= openSequence(file);
  const opened = service.sequence;
  try {
    const sequence = await opened.catch((error: unknown) => {
      // Whoever sends next reads it anew: by then somebody may have put it right.
      if (service.sequence === opened) service.sequence = null;
      throw error;
    });
    return await sequence.next(nowMs);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const text = `The number of the next message cannot be kept in ${file}, so nothing was sent: ${reason}`;
    throw new CorrosionError("send_unavailable", text, {}, { cause });
  }
}

async function recordSent({ broker }: MessagesService, written: Written): Promise<void> {
  const { bytes, experimentId, pk, sentAt } = written;
  if (experimentId === null) return;
  await record(broker, [
    {
      message_id: pk,
      experiment_id: experimentId,
      originating_node: broker.nodeID,
      target_node: null,
      event_type: "sent",
      region: regionOf(broker.nodeID),
      transaction_size_hint: bytes,
      event_timestamp: sentAt,
      receipt_timestamp: null,
    },
  ]);
}

async function prune(service: MessagesService): Promise<number> {
  const { messageKeep } = runtimeOf(service.broker).config.console.ack;
  const { nodeID } = service.broker;
  const deleted = await withClient(service, (client) => pruneRows(client, nodeID, messageKeep));
  if (deleted > 0) service.logger.info("own messages pruned", { deleted, kept: messageKeep });
  return deleted;
}

const listed = (messages: MessageList["messages"]): MessageList => ({ messages, count: messages.length });

/** Throws `CorrosionError`. */
async function withClient<T>(
  service: MessagesService,
  use: (client: CorrosionClient) => Promise<T>,
): Promise<T> {
  try {
    return await use(await service.access.client());
  } catch (error) {
    throw asFailure(error);
  }
}
