/** @module One cluster update, led from this node: reservations of all nodes, the run, and giving them back. */
import type { ServiceBroker } from "moleculer";
import { isoMicros, systemClock } from "../../../lib/clock.ts";
import { nodesWith } from "../../../lib/cluster-nodes.ts";
import { CorrosionError, failureType } from "../../../lib/corrosion/failures.ts";
import type { ClusterUpdate } from "../contract.ts";
import { NodeCalls } from "./node-calls.ts";
import { type NewUpdate, newPlan } from "./plan.ts";
import { RESERVATION_MS } from "./reservation.ts";
import { runUpdate, StepFailed } from "./run.ts";
import { POLL_MS, runningAgents, Steps } from "./steps.ts";

export interface CampaignOptions {
  readonly broker: ServiceBroker;
  readonly update: NewUpdate;
  readonly stepMs: number;
  readonly publish: (update: ClusterUpdate) => void;
}

const RESERVE_LIMIT_MS = 10_000;
const RENEW_EVERY_MS = RESERVATION_MS / 4;

/** `reserve`, `run`, in this order; `stop` at any time. */
export class Campaign {
  readonly #options: CampaignOptions;
  readonly #stopping = new AbortController();
  #reserved: string[] = [];

  constructor(options: CampaignOptions) {
    this.#options = options;
  }

  /**
   * Asks all nodes for themselves, one after another in the order of their ids, so that of two updates one gets them
   * all. Nodes that are no targets and do not answer are left out. Throws `CorrosionError`; then none is held.
   */
  async reserve(): Promise<void> {
    const { broker, update } = this.#options;
    const present = nodesWith(broker, "corrosion.coordinator").filter(({ available }) => available);
    const all = [...new Set([...present.map(({ id }) => id), ...update.targets])].sort();
    for (const node of all) {
      try {
        await this.#ask(node);
        this.#reserved.push(node);
      } catch (error) {
        const refused = failureType(error) !== null;
        if (!refused && !update.targets.includes(node)) continue;
        await this.release();
        if (refused) throw error;
        const why = error instanceof Error ? error.message : String(error);
        throw new CorrosionError(
          "agent_not_managed",
          `${node} does not answer: ${why}`,
          {},
          { cause: error },
        );
      }
    }
  }

  /** Carries the update out. Never throws; the nodes are free afterwards. */
  async run(): Promise<ClusterUpdate> {
    const { broker, publish, stepMs, update } = this.#options;
    const renewing = setInterval(() => {
      this.#renew().catch((error: unknown) => {
        broker.logger.warn("a reservation was not renewed", {
          update: update.update_id,
          error: String(error),
        });
      });
    }, RENEW_EVERY_MS);
    try {
      const plan = newPlan(update, now());
      publish(plan.update);
      const calls = (node: string) => new NodeCalls(broker, node, update.update_id);
      const running = await runningAgents(this.#reserved.map(calls));
      const steps = new Steps({ hosts: update.hosts, calls, running, stepMs, pollMs: POLL_MS });
      const port = {
        renew: () => this.#renew(),
        apply: steps.apply.bind(steps),
        rollBack: steps.rollBack.bind(steps),
        publish,
        now,
      };
      return await runUpdate(plan, port, this.#stopping.signal);
    } finally {
      clearInterval(renewing);
      // A step that was broken off goes on by itself: its node is nobody else's until the reservation lapses.
      if (!this.#stopping.signal.aborted) await this.release();
    }
  }

  /** Ends the run where it is; what a node has begun it ends by itself. */
  stop(): void {
    this.#stopping.abort(new Error("this node stops"));
  }

  async release(): Promise<void> {
    const { broker, update } = this.#options;
    const { update_id } = update;
    await Promise.all(
      this.#reserved.splice(0).map((nodeID) =>
        broker
          .call("corrosion.coordinator.release", { update_id }, { nodeID, timeout: RESERVE_LIMIT_MS })
          .catch((error: unknown) => {
            broker.logger.debug("a reservation lapses by itself", { node: nodeID, error: String(error) });
          }),
      ),
    );
  }

  /** Nodes that do not answer keep their promise until it lapses. Throws `StepFailed` when one gave it to another. */
  async #renew(): Promise<void> {
    await Promise.all(
      this.#reserved.map(async (node) => {
        try {
          await this.#ask(node);
        } catch (error) {
          if (failureType(error) === "busy")
            throw new StepFailed((error as Error).message, true, { cause: error });
        }
      }),
    );
  }

  async #ask(nodeID: string): Promise<void> {
    const { broker, update } = this.#options;
    const { initiator, targets, update_id } = update;
    const params = { update_id, initiator, target: targets.includes(nodeID) };
    await broker.call("corrosion.coordinator.reserve", params, { nodeID, timeout: RESERVE_LIMIT_MS });
  }
}

function now(): string {
  return isoMicros(systemClock());
}
