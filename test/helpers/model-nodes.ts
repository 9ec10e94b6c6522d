/** @module Nodes with an agent each, in memory: what a cluster update does to them, and faults where a test wants them. */
import { setImmediate as turn } from "node:timers/promises";
import { Errors } from "moleculer";
import { CorrosionError } from "../../lib/corrosion/failures.ts";
import type {
  AgentStatus,
  ConfigJob,
  MemberView,
  NodeConfiguration,
} from "../../services/corrosion/contract.ts";
import type { NodePort } from "../../services/corrosion/coordinator/node-calls.ts";

/** What goes wrong when a node is given its new hosts. */
export type ApplyFault =
  /** Turned down before anything was done. */
  | "refused"
  /** Nothing was written. */
  | "invalid"
  /** Written, and the agent does not start with it. */
  | "no start"
  /** Written, the agent runs, and the answer never comes. */
  | "no answer"
  /** Written, the agent runs and sees nobody. */
  | "no peer"
  /** The node is lost with its agent while that restarts. */
  | "lost";

export interface Faults {
  readonly apply?: ApplyFault;
  readonly rollback?: "no start" | "lost";
}

const OLD = ["old:1"];

export class ModelNodes {
  /** Steps in the order in which they were begun: `apply a`, `rollback b`. */
  readonly begun: string[] = [];
  /** Each time that an agent went down while another one was: what must never be. */
  readonly violations: string[] = [];
  readonly #nodes = new Map<string, ModelNode>();

  constructor(faults: ReadonlyMap<string, Faults>) {
    for (const [id, fault] of faults) this.#nodes.set(id, new ModelNode(id, fault, this));
  }

  get ids(): string[] {
    return [...this.#nodes.keys()];
  }

  node(id: string): ModelNode {
    return this.#nodes.get(id)!;
  }

  goesDown(id: string): void {
    const others = [...this.#nodes.values()].filter((node) => node.nodeId !== id && !node.up);
    if (others.length > 0)
      this.violations.push(`${id} beside ${others.map(({ nodeId }) => nodeId).join(", ")}`);
  }
}

export class ModelNode implements NodePort {
  readonly nodeId: string;
  hosts: readonly string[] = OLD;
  up = true;
  lost = false;
  readonly #faults: Faults;
  readonly #all: ModelNodes;
  #backups: { id: string; created_at: string; hosts: readonly string[] }[] = [];
  #job: ConfigJob | null = null;
  #blind = false;

  constructor(nodeId: string, faults: Faults, all: ModelNodes) {
    this.nodeId = nodeId;
    this.#faults = faults;
    this.#all = all;
  }

  get unchanged(): boolean {
    return this.hosts === OLD;
  }

  async agent(): Promise<AgentStatus> {
    await this.#reached();
    return { state: this.up ? "running" : "crashed" } as AgentStatus;
  }

  async configuration(): Promise<NodeConfiguration> {
    await this.#reached();
    return {
      hosts: this.hosts,
      backups: this.#backups.map(({ id, created_at }) => ({ id, created_at })),
    } as unknown as NodeConfiguration;
  }

  async job(): Promise<ConfigJob | null> {
    await this.#reached();
    return this.#job;
  }

  async applyBootstrap(hosts: readonly string[]): Promise<ConfigJob> {
    this.#all.begun.push(`apply ${this.nodeId}`);
    await this.#reached();
    const { apply } = this.#faults;
    if (apply === "refused") throw new CorrosionError("busy", "busy with something else");
    if (apply === "invalid") return this.#over("error", "the file cannot be written");
    this.#backups = [{ id: `b${this.#backups.length}`, created_at: "", hosts: this.hosts }, ...this.#backups];
    this.hosts = hosts;
    this.#blind = apply === "no peer";
    await this.#restart(apply === "no start", apply === "lost");
    const over = this.up ? this.#over("ready", "ready") : this.#over("error", "the agent did not start");
    if (apply === "no answer")
      throw new Errors.RequestTimeoutError({ action: "corrosion.config.applyBootstrap" });
    return over;
  }

  /** What a person does to the node alone. */
  edit(hosts: readonly string[]): void {
    this.#backups = [{ id: `b${this.#backups.length}`, created_at: "", hosts: this.hosts }, ...this.#backups];
    this.hosts = hosts;
  }

  async rollback(backupId: string): Promise<ConfigJob> {
    this.#all.begun.push(`rollback ${this.nodeId}`);
    await this.#reached();
    const backup = this.#backups.find(({ id }) => id === backupId);
    if (!backup) throw new CorrosionError("not_found", "no such backup");
    this.hosts = backup.hosts;
    this.#blind = false;
    await this.#restart(this.#faults.rollback === "no start", this.#faults.rollback === "lost");
    return this.up ? this.#over("ready", "ready") : this.#over("error", "the agent did not start");
  }

  async restart(): Promise<{ ok: boolean; reason: string | null }> {
    await this.#reached();
    await this.#restart(false, false);
    return { ok: true, reason: null };
  }

  async members(): Promise<MemberView> {
    await this.#reached();
    const subjects = this.#blind ? [] : [{ id: "x", state: "Alive" as const }];
    return { node_id: this.nodeId, actor_id: null, at: null, error: null, subjects };
  }

  async #restart(fails: boolean, lost: boolean): Promise<void> {
    this.#job = this.#over("restarting", "restarting");
    this.#all.goesDown(this.nodeId);
    this.up = false;
    await turn();
    this.lost = lost;
    if (lost) throw new Errors.RequestRejectedError({ action: "any", nodeID: this.nodeId });
    this.up = !fails;
  }

  #over(state: ConfigJob["state"], message: string): ConfigJob {
    this.#job = { state, message } as ConfigJob;
    return this.#job;
  }

  async #reached(): Promise<void> {
    await turn();
    if (this.lost) throw new Errors.ServiceNotAvailableError({ action: "any", nodeID: this.nodeId });
  }
}
