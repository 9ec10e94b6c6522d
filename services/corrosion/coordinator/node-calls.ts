/** @module What an update asks of a node: pinned calls to its config, agent and members actors, each with its limit. */
import type { ServiceBroker } from "moleculer";
import type { AgentStatus, ConfigJob, MemberView, NodeConfiguration } from "../contract.ts";
import type { UpdateMeta } from "./reserved.ts";

/** How long an actor that answers from its memory may take. */
const ASK_MS = 5000;

/** What a step needs of a node. */
export type NodePort = Pick<
  NodeCalls,
  "nodeId" | "agent" | "configuration" | "job" | "applyBootstrap" | "rollback" | "restart" | "members"
>;

/** Calls of one node; each throws what the call throws. */
export class NodeCalls {
  readonly #broker: ServiceBroker;
  readonly #meta: UpdateMeta;
  readonly nodeId: string;

  /** On behalf of an update, which has the node. */
  constructor(broker: ServiceBroker, nodeId: string, updateId: string) {
    this.#broker = broker;
    this.#meta = { cluster_update: updateId };
    this.nodeId = nodeId;
  }

  agent(timeout = ASK_MS): Promise<AgentStatus> {
    return this.#call("corrosion.agent.status", {}, timeout);
  }

  configuration(): Promise<NodeConfiguration> {
    return this.#call("corrosion.config.get", {}, ASK_MS);
  }

  /** The job that runs, or ran last; null when there was none. */
  job(): Promise<ConfigJob | null> {
    return this.#call("corrosion.config.job", {}, ASK_MS);
  }

  /** Resolves when the job is over, whatever became of it. */
  applyBootstrap(hosts: readonly string[], timeout: number): Promise<ConfigJob> {
    return this.#call("corrosion.config.applyBootstrap", { hosts, wait: true }, timeout);
  }

  rollback(backupId: string, timeout: number): Promise<ConfigJob> {
    return this.#call("corrosion.config.rollback", { backup_id: backupId, wait: true }, timeout);
  }

  restart(timeout: number): Promise<{ readonly ok: boolean; readonly reason: string | null }> {
    return this.#call("corrosion.agent.restart", { wait: true }, timeout);
  }

  /** What the node's agent thinks of the others now. */
  async members(timeout: number): Promise<MemberView> {
    await this.#call("corrosion.members.refresh", {}, timeout);
    return this.#call("corrosion.members.view", {}, timeout);
  }

  #call<T>(action: string, params: object, timeout: number): Promise<T> {
    const options = { nodeID: this.nodeId, timeout, meta: this.#meta };
    return this.#broker.call<T, object>(action, params, options);
  }
}
