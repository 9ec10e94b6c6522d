/** @module Has done what a run's rules decide: the bus, the store, the messages and the metrics of this node. */
import type { ServiceBroker } from "moleculer";
import { systemClock } from "../../../lib/clock.ts";
import type { NodeConfiguration } from "../../corrosion/contract.ts";
import type {
  AnalyticsEvent,
  AnalyticsNews,
  ExperimentControl,
  ExperimentPart,
  ExperimentRow,
  Recorded,
  TopologySnapshot,
} from "../contract.ts";
import { isSameRun, type RunCommand, textOf } from "./run.ts";

const CONTROL = "experiment_control";
const EVENTS = "analytics_events";

/** Longer than a message takes by its own rules. */
const SEND_MS = 15_000;
const CALL_MS = 5000;

export interface EffectsOptions {
  readonly broker: ServiceBroker;
  readonly logger: ServiceBroker["logger"];
  /** The outcome of a message; `failure` is a sentence. */
  readonly outcome: (run: ExperimentRow, failure: string | null) => void;
  /** Something about the run changed, so that reports of it are old. */
  readonly changed: (run: ExperimentRow) => void;
  readonly collect: (run: ExperimentRow) => Promise<number>;
}

export class Effects {
  readonly #options: EffectsOptions;
  /** What goes to the store, one after the other: the newest row must be the last one. */
  #queue: Promise<void> = Promise.resolve();
  readonly #under = new Set<Promise<void>>();

  constructor(options: EffectsOptions) {
    this.#options = options;
  }

  perform(command: RunCommand): void {
    const { run } = command;
    switch (command.kind) {
      case "begin":
        return this.#enqueue("a run's beginning", run, () => this.#begin(run));
      case "write":
        return this.#enqueue("a run's row", run, () => this.#record({ experiments: [run] }));
      case "end":
        this.#options.changed(run);
        this.#event(run, { type: "experiment_stopped", status: run.status });
        return this.#enqueue("a run's end", run, () => this.#end(run));
      case "tell":
        return this.tell(command.type, run);
      case "send":
        // It ends by its own rules, and is not waited for at the node's end.
        void this.#send(run, command.index);
        return;
      case "progress":
        return this.#event(run, progressOf(run));
      case "collect":
        return this.#own(this.#collect(run));
    }
  }

  /** The word of the owner, or on behalf of one that is gone. */
  tell(type: ExperimentControl["type"], run: ExperimentRow): void {
    const { broker } = this.#options;
    const word = wordOn(type, run);
    this.#own(this.#guard("a word on a run", run, async () => broker.broadcast(CONTROL, word)));
  }

  /** Waits until what was decided of the run is in the file: one that began must be known after its owner was killed. */
  async kept(run: ExperimentRow): Promise<void> {
    await this.#queue;
    await this.#guard("a run's row in the file", run, () => this.#call("analytics.store.flush", {}));
  }

  /** Waits until all of it is done. */
  async settled(): Promise<void> {
    await Promise.all([...this.#under, this.#queue]);
  }

  /** One snapshot a run: a node that restarted within a run, or lost sight of it, has written its own. */
  async #begin(run: ExperimentRow): Promise<void> {
    const known = await this.#call<ExperimentPart[]>("analytics.store.experiments", { id: run.id });
    const joined = known.some(({ experiment }) => experiment !== null && isSameRun(experiment, run));
    await this.#call("metrics.system.start", { experiment_id: run.id });
    if (joined) return;
    const { hosts } = await this.#call<NodeConfiguration>("corrosion.config.get", {});
    await this.#record({ snapshots: [snapshotOf(run, this.#options.broker.nodeID, hosts)] });
  }

  async #end(run: ExperimentRow): Promise<void> {
    await this.#call("metrics.system.stop", {});
    // What was reported while the last figures were on their way is old.
    this.#options.changed(run);
  }

  async #send(run: ExperimentRow, index: number): Promise<void> {
    const { outcome } = this.#options;
    const content = textOf(run, index);
    const message = { content, experiment_id: run.id, index };
    try {
      const action = run.transport === "gossip" ? "messages.send" : "acks.drill.send";
      await this.#call(action, message, SEND_MS);
      outcome(run, null);
    } catch (error) {
      outcome(run, error instanceof Error ? error.message : String(error));
    }
  }

  async #collect(run: ExperimentRow): Promise<void> {
    await this.#guard("a collection", run, async () => {
      this.#event(run, { type: "cluster_update", node_count: await this.#options.collect(run) });
    });
  }

  #record(recorded: Recorded): Promise<void> {
    return this.#call("analytics.store.record", recorded);
  }

  #call<T>(action: string, params: object, timeout = CALL_MS): Promise<T> {
    const { broker } = this.#options;
    return broker.call<T, object>(action, params, { nodeID: broker.nodeID, timeout });
  }

  #event(run: ExperimentRow, event: AnalyticsNews): void {
    const { broker } = this.#options;
    const payload: AnalyticsEvent = { node_id: broker.nodeID, experiment_id: run.id, ...event };
    this.#own(this.#guard("an event", run, async () => broker.broadcastLocal(EVENTS, payload)));
  }

  #enqueue(what: string, run: ExperimentRow, work: () => Promise<void>): void {
    this.#queue = this.#queue.then(() => this.#guard(what, run, work));
  }

  /** What fails costs the run a figure, never the node. */
  async #guard(what: string, run: ExperimentRow, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.logger.warn("a part of a run was not done", {
        part: what,
        experiment: run.id,
        error: String(error),
      });
    }
  }

  #own(task: Promise<void>): void {
    this.#under.add(task);
    void task.finally(() => this.#under.delete(task));
  }
}

/** What goes over the bus. */
export function wordOn(type: ExperimentControl["type"], run: ExperimentRow): ExperimentControl {
  const { id: experiment_id, owner_node, message_count, interval_ms, transport, payload_bytes } = run;
  return {
    type,
    experiment_id,
    owner_node,
    parameters: { experiment_id, message_count, interval_ms, transport, payload_bytes },
    ...(type === "stop" && { status: run.status }),
    run,
  };
}

function progressOf({ failed_count, message_count, sent_count }: ExperimentRow): AnalyticsNews {
  return { type: "message_progress", sent_count, failed_count, total_count: message_count };
}

/** Sizes and intervals are those that the run was started with. */
function snapshotOf(run: ExperimentRow, node_id: string, hosts: readonly string[]): TopologySnapshot {
  const now = systemClock();
  return {
    experiment_id: run.id,
    node_id,
    bootstrap_peers: hosts,
    transaction_size_bytes: run.payload_bytes,
    transaction_frequency_ms: run.interval_ms,
    inserted_at: now,
    updated_at: now,
  };
}
