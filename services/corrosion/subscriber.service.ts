/** @module The subscriber of a node: its agent's `node_messages`, told to the node's actors as they change. */
import type { Context, Service } from "moleculer";
import { AgentAccess } from "../../lib/corrosion/agent-access.ts";
import { defineService } from "../../lib/service.ts";
import { systemTimers } from "../../lib/timers.ts";
import { corrosionLifecycle, pausedFor } from "../../mixins/corrosion-lifecycle.ts";
import type { AgentStatus, MessageUpdate, SubscriberStatus } from "./contract.ts";
import { MessageSubscriber } from "./subscriber.ts";
import { SUBSCRIBER_TIMES, type SubscriberTimes } from "./subscriber-timing.ts";
import type { Update } from "./subscription.ts";

type SubscriberService = Service<{ times: SubscriberTimes; watchdogMs: number }> & {
  subscriber: MessageSubscriber;
};

export default defineService<SubscriberService>({
  name: "corrosion.subscriber",

  settings: { times: SUBSCRIBER_TIMES, watchdogMs: 60_000 },

  mixins: [
    corrosionLifecycle<SubscriberService>({
      watchdogMs() {
        return this.settings.watchdogMs;
      },
      paused({ restart_id }) {
        this.subscriber.pause(`the agent restarts (${restart_id})`);
      },
      resumed() {
        this.subscriber.start();
      },
    }),
  ],

  actions: {
    /** `SubscriberStatus`. */
    status: {
      params: {},
      handler(this: SubscriberService): SubscriberStatus {
        return statusOf(this);
      },
    },

    /** Connects anew and compares all rows; answers at once. */
    restart: {
      params: {},
      handler(this: SubscriberService): SubscriberStatus {
        this.subscriber.restart();
        return statusOf(this);
      },
    },
  },

  events: {
    agent_state(ctx: Context<AgentStatus>) {
      const { node_id, state } = ctx.params;
      if (node_id !== this.broker.nodeID) return;
      if (state === "running" || state === "external") this.subscriber.hasten();
    },
  },

  created(this: SubscriberService) {
    const access = new AgentAccess(this.broker);
    this.subscriber = new MessageSubscriber({
      connect: () => access.client(),
      emit: (update) => tell(this, update),
      logger: this.logger,
      times: this.settings.times,
      timers: systemTimers,
      random: Math.random,
    });
  },

  async started(this: SubscriberService) {
    // The node starts whether its agent is there or not.
    if (pausedFor(this) === null) this.subscriber.start();
  },

  async stopped(this: SubscriberService) {
    await this.subscriber.stop();
  },
});

function statusOf(service: SubscriberService): SubscriberStatus {
  return { node_id: service.broker.nodeID, ...service.subscriber.status() };
}

function tell(service: SubscriberService, update: Update): void {
  const payload: MessageUpdate = { node_id: service.broker.nodeID, ...update };
  service.broker.broadcastLocal("message_updates", payload)?.catch((error: unknown) => {
    service.logger.error("an actor failed on a message update", { type: update.type, error: String(error) });
  });
}
