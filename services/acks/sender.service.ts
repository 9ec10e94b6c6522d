/** @module The sender of a node: counts what it receives of other nodes, and acknowledges it to them. */
import type { Context, Service } from "moleculer";
import { isoMicros, systemClock } from "../../lib/clock.ts";
import { CorrosionError } from "../../lib/corrosion/failures.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { defineService } from "../../lib/service.ts";
import { systemTimers } from "../../lib/timers.ts";
import type { Membership, MessageRow, MessageUpdate } from "../corrosion/contract.ts";
import type { Deliver, Reception, ReceptionStats, Receptions, SenderStatus } from "./contract.ts";
import { allReceptions } from "./sender/all-receptions.ts";
import { AckClient, DELIVERY_TIMES } from "./sender/deliver.ts";
import type { Answer } from "./sender/delivery-plan.ts";
import { type AckPort, ackPortOf, allowedEndpoint, type Neighbours } from "./sender/endpoint.ts";
import type { Entry } from "./sender/receptions.ts";
import { MAX_QUEUED, Sender } from "./sender/sender.ts";

const MEMBERS_MS = 1000;
/** Of one node; the answer has to fit into one message of the bus. */
const MAX_LISTED = 500;
/** No node writes longer ones, and no ack API takes them. */
const MAX_PK = 512;
const MAX_NODE_ID = 256;
const MAX_ENDPOINT = 512;

const settings = { maxQueued: MAX_QUEUED, times: DELIVERY_TIMES };

type SenderService = Service<typeof settings> & {
  sender: Sender;
  client: AckClient;
  ackPort: AckPort;
};

interface All {
  readonly min: number;
  readonly limit: number;
  readonly scope: "local" | "cluster";
}

const pk = { type: "string", min: 1, max: MAX_PK };
const min = (value: number) => ({ type: "number", integer: true, min: 1, default: value });
const limit = { type: "number", integer: true, min: 1, max: MAX_LISTED, default: MAX_LISTED };

export default defineService<SenderService>({
  name: "acks.sender",

  settings,

  actions: {
    /** `SenderStatus`. */
    status: {
      params: {},
      handler(): SenderStatus {
        return this.sender.status();
      },
    },

    /** `ReceptionStats`. */
    stats: {
      params: {},
      handler(): ReceptionStats {
        return this.sender.stats();
      },
    },

    /** `Receptions` with at least `min` receptions each, of this node or of all. */
    all: {
      params: {
        min: min(1),
        limit,
        scope: { type: "enum", values: ["local", "cluster"], default: "local" },
      },
      handler(ctx: Context<All>): Receptions | Promise<Receptions> {
        const { limit, min, scope } = ctx.params;
        const own = this.sender.list(min, limit);
        return scope === "cluster" ? allReceptions(this.broker, own, { min, limit }) : ofThis(this, own);
      },
    },

    /** `Receptions` of what this node received more than once. */
    duplicates: {
      params: { min: min(2), limit },
      handler(ctx: Context<Omit<All, "scope">>): Receptions {
        return ofThis(this, this.sender.list(ctx.params.min, ctx.params.limit));
      },
    },

    /** `{pk}` -> `Reception`. Throws `not_found`. */
    get: {
      params: { pk },
      handler(ctx: Context<{ pk: string }>): Reception {
        const reception = this.sender.get(ctx.params.pk);
        if (reception) return reception;
        throw new CorrosionError(
          "not_found",
          `Node ${this.broker.nodeID} has received no message ${ctx.params.pk}.`,
        );
      },
    },

    /** `Deliver` -> `Reception`: counted, and under way unless it was before. */
    deliver: {
      params: {
        transport: { type: "enum", values: ["gossip", "pubsub"] },
        pk,
        originator: { type: "string", min: 1, max: MAX_NODE_ID },
        endpoint: { type: "string", max: MAX_ENDPOINT },
        receipt_timestamp: "string",
      },
      handler(ctx: Context<Deliver>): Reception {
        return this.sender.receive(ctx.params);
      },
    },
  },

  events: {
    message_updates(ctx: Context<MessageUpdate>) {
      const row = arrivalOf(this, ctx.params);
      if (row) receive(this, row);
    },
    "$node.connected"(ctx: Context<{ node: { id: string } }>) {
      this.sender.originatorAppeared(ctx.params.node.id);
      endpointsChanged(this, []);
    },
    "$node.updated"(_ctx: Context<never>) {
      endpointsChanged(this, []);
    },
    cluster_membership(ctx: Context<Membership>) {
      endpointsChanged(this, ctx.params.members);
    },
  },

  created() {
    const { ack, environment } = runtimeOf(this.broker).config.console;
    const { attempts, concurrency, dedupeMax, dedupeTtlMs } = ack;
    this.client = new AckClient(ack.token, this.settings.times);
    this.ackPort = ackPortOf(environment, ack.port);
    this.sender = new Sender({
      nodeId: this.broker.nodeID,
      attempts,
      concurrency,
      dedupeMax,
      dedupeTtlMs,
      maxQueued: this.settings.maxQueued,
      timers: systemTimers,
      clock: systemClock,
      random: Math.random,
      attempt: (entry) => attempt(this, entry),
      changed: (reception) => tell(this, reception),
      logger: this.logger,
    });
  },

  async started() {
    this.sender.start();
  },

  async stopped() {
    const stopped = this.sender.stop();
    this.client.close();
    await stopped;
  },
});

/** The row, if it is a message of another node that came after the first snapshot; null else. */
function arrivalOf({ broker }: SenderService, update: MessageUpdate): MessageRow | null {
  if (update.node_id !== broker.nodeID) return null;
  const isNew =
    update.type === "new_message" || (update.type === "message_change" && update.change === "INSERT");
  if (!isNew || update.row.node_id === broker.nodeID) return null;
  const { node_id, originating_endpoint, pk } = update.row;
  const fits =
    pk.length <= MAX_PK && node_id.length <= MAX_NODE_ID && originating_endpoint.length <= MAX_ENDPOINT;
  return fits ? update.row : null;
}

function receive({ sender }: SenderService, row: MessageRow): void {
  sender.receive({
    transport: "gossip",
    pk: row.pk,
    originator: row.node_id,
    endpoint: row.originating_endpoint,
    receipt_timestamp: isoMicros(systemClock()),
  });
}

/** Never rejects. */
async function attempt(service: SenderService, entry: Entry): Promise<Answer> {
  const { ackPort, broker, client } = service;
  const { endpoint, originator, pk, transport } = entry;
  // The registry alone is enough for nearly all, and asks nobody.
  const to =
    allowedEndpoint(endpoint, originator, neighbours(service, []), ackPort) ??
    allowedEndpoint(endpoint, originator, neighbours(service, await members(service)), ackPort);
  if (to === null) {
    const reason = `endpoint_not_allowed: ${endpoint.slice(0, 100)} is not where node ${originator.slice(0, 100)} takes acknowledgements`;
    return { kind: "not_allowed", reason };
  }
  return client.post(to, transport, {
    pk,
    ack_node_id: broker.nodeID,
    receipt_timestamp: isoMicros(entry.firstSeen),
    timestamp: isoMicros(systemClock()),
  });
}

function neighbours({ broker }: SenderService, members: Neighbours["members"]): Neighbours {
  return {
    members,
    advertised(nodeId) {
      const said: unknown = broker.registry.nodes.get(nodeId)?.metadata?.ack_endpoint;
      return typeof said === "string" ? said : null;
    },
  };
}

/** Without the agent's members the registry alone says where nodes are. */
async function members({ broker, logger }: SenderService): Promise<Neighbours["members"]> {
  try {
    const options = { nodeID: broker.nodeID, timeout: MEMBERS_MS };
    return (await broker.call<Membership, object>("corrosion.members.get", {}, options)).members;
  } catch (error) {
    logger.debug("the members do not answer", { error: String(error) });
    return [];
  }
}

function endpointsChanged(service: SenderService, members: Neighbours["members"]): void {
  const known = neighbours(service, members);
  service.sender.endpointsChanged(
    (endpoint, originator) => allowedEndpoint(endpoint, originator, known, service.ackPort) !== null,
  );
}

function ofThis({ broker }: SenderService, receptions: readonly Reception[]): Receptions {
  const nodes_reporting = [broker.nodeID];
  return { receptions, count: receptions.length, scope: "local", nodes_reporting, nodes_missing: [] };
}

function tell({ broker, logger }: SenderService, reception: Reception): void {
  broker.broadcastLocal("reception_updates", reception)?.catch((error: unknown) => {
    logger.error("an actor failed on a reception", { pk: reception.message_pk, error: String(error) });
  });
}
