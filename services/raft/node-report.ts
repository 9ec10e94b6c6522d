/** @module What a node says of itself: its replicas, whether they are recovered, whether the engine takes writes. */
import { setTimeout as delay } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import { MAX_CALL_BYTES } from "../../lib/bus-limits.ts";
import { stateDigest } from "../../lib/conversation/digest.ts";
import { isAfter, newestFirst } from "../../lib/conversation/session-order.ts";
import { groupOf } from "../../lib/ids.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import type { ArchiveStatus, Session } from "../conversations/contract.ts";
import { otherLeader } from "./cluster-view.ts";
import type { GroupDetail, NodeReport, UserSessions, UserSessionsResult } from "./contract.ts";
import type { Topology } from "./topology.ts";
import { sessionView } from "./views.ts";

/** Readiness wants a commit or a probe within this. */
const WRITABLE_MS = 5000;
/** A probe that takes longer counts as failed: whoever asks for readiness does not wait long. */
const PROBE_MS = 1000;

export class NodeReporter {
  readonly #broker: ServiceBroker;
  readonly #topology: Topology;
  #probedAt = Number.NEGATIVE_INFINITY;

  constructor(broker: ServiceBroker, topology: Topology) {
    this.#broker = broker;
    this.#topology = topology;
  }

  /** Throws before the engine is open. */
  async report(): Promise<NodeReport> {
    return {
      node: this.#broker.nodeID,
      engine: this.#topology.engine.status(),
      replicas: [...this.#topology.replicas.values()].map((replica) => replica.report()),
      recovered: this.#recovered(),
      writable: await this.#writable(),
      archive_problem: await this.#archiveProblem(),
    };
  }

  async #archiveProblem(): Promise<string | null> {
    const options = { nodeID: this.#broker.nodeID };
    const status = await this.#broker
      .call<ArchiveStatus, object>("archive.status", {}, options)
      .catch((): ArchiveStatus => ({ available: false, problem: "it has not been reached yet" }));
    return status.problem;
  }

  /** One replica in full; null when this node holds none of the group. */
  async group(group: number): Promise<GroupDetail | null> {
    const replica = this.#topology.replicas.get(group);
    if (!replica?.state) return null;
    const health = await replica.log.health().catch(() => null);
    return { ...replica.report(), digest: stateDigest(replica.state), health };
  }

  /** Resident sessions of a user in the groups led here, newest first, as many as one answer can carry. */
  userSessions({ user_id, status, position, limit, known = [] }: UserSessions): UserSessionsResult {
    const leading = [...this.#topology.replicas.values()].filter((replica) => replica.leader?.leading);
    const wanted = leading
      .flatMap(({ state }) => [...(state?.byUser.get(user_id) ?? [])].map((id) => state!.sessions.get(id)!))
      .filter((session) => status === undefined || session.status === status)
      .map(sessionView)
      .filter((session) => position === undefined || isAfter(session, position))
      .sort(newestFirst);
    const sessions: Session[] = [];
    let bytes = 0;
    for (const session of wanted.slice(0, limit)) {
      bytes += Buffer.byteLength(JSON.stringify(session));
      if (bytes > MAX_CALL_BYTES && sessions.length > 0) break;
      sessions.push(session);
    }
    return {
      groups: leading.map((replica) => replica.group),
      sessions,
      more: sessions.length < wanted.length,
      resident: known.filter((id) => this.#leads(id)),
    };
  }

  /** Whether the session is resident in a group that is led here. */
  #leads(session: string): boolean {
    const { groups } = runtimeOf(this.#broker).config;
    const replica = this.#topology.replicas.get(groupOf(session, groups));
    return replica?.leader?.leading === true && replica.state?.sessions.has(session) === true;
  }

  /** Every assigned group is at its log's end, and those to be led from here have a leader somewhere. */
  #recovered(): boolean {
    const { roles, replicas } = this.#topology;
    if (roles.length === 0) return false;
    return roles.every((role, group) => {
      if (role === "none") return true;
      const replica = replicas.get(group);
      if (!replica?.caughtUp || replica.problem !== null) return false;
      return role === "follower" || replica.leader?.leading || otherLeader(this.#broker, group) !== null;
    });
  }

  /** A commit went through within the last 5 s, or a probe does now. */
  async #writable(): Promise<boolean> {
    const now = performance.now();
    if (now - this.#probedAt < WRITABLE_MS) return true;
    for (const { leader } of this.#topology.replicas.values()) {
      if (leader && leader.commitAge < WRITABLE_MS) return true;
    }
    const limit = delay(PROBE_MS, false, { ref: false });
    const probed = this.#topology.engine.probe().then(
      () => true,
      () => false,
    );
    if (!(await Promise.race([probed, limit]))) return false;
    this.#probedAt = now;
    return true;
  }
}
