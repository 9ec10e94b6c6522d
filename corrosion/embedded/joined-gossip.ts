/** @module Gossip of a running agent: what it starts with, what is logged of it, and the members that are written down. */
import { setTimeout as delay } from "node:timers/promises";
import { actorIdOf } from "../../lib/actor-ids.ts";
import { formatHostPort } from "../../lib/host-port.ts";
import { ntp64 } from "../../lib/ntp64.ts";
import type { Config } from "./config.ts";
import type { Gossip, GossipEvent } from "./gossip/contract.ts";
import { startGossip } from "./gossip/gossip.ts";
import { type Log, reasonOf } from "./log.ts";
import type { Readers } from "./processes/readers.ts";
import type { Writer } from "./processes/writer.ts";
import type { StoredMember } from "./store/contract.ts";

const OWN_QUERY_MS = 10_000;
const MEMBERS_DELAY_MS = 500;
const STOP_MS = 300;

export interface JoinOptions {
  readonly config: Config["gossip"];
  readonly writer: Writer;
  readonly own: Readers;
  readonly log: Log;
  /** Told all that is no change of members. */
  readonly count: (event: GossipEvent) => void;
}

export interface JoinedGossip {
  readonly gossip: Gossip;
  /** Waits no longer than a moment for the writer, which a client's statement may keep busy. */
  stop(): Promise<void>;
}

/** Throws `GossipUnusable`. */
export async function joinGossip({ config, writer, own, log, count }: JoinOptions): Promise<JoinedGossip> {
  const [cluster] = await own.all("SELECT value FROM __corro_state WHERE key = 'cluster_id'", OWN_QUERY_MS);
  const remembered = await own.all("SELECT address FROM __corro_members", OWN_QUERY_MS);
  let started: Gossip | null = null;
  let writing: NodeJS.Timeout | null = null;
  const writeMembers = () => {
    writing = null;
    if (started === null) return;
    writer.writeMembers(storedMembers(started)).catch((error: unknown) => {
      log.warn("__corro_members was not written", { reason: reasonOf(error) });
    });
  };
  const gossip = await startGossip({
    actorId: writer.actorId,
    listen: formatHostPort(config.addr),
    externalAddr: config.externalAddr === null ? null : formatHostPort(config.externalAddr),
    bootstrap: config.bootstrap,
    remembered: remembered.map(([address]) => String(address)),
    clusterId: Number(cluster?.[0] ?? 0),
    memberId: config.memberId,
    replication: writer.replication,
    ts: () => ntp64(Date.now()),
    onEvent: (event) => {
      tell(event, log);
      if (event.kind === "members_changed") writing ??= setTimeout(writeMembers, MEMBERS_DELAY_MS);
      else count(event);
    },
  });
  started = gossip;
  return {
    gossip,
    stop: async () => {
      if (writing !== null) clearTimeout(writing);
      started = null;
      await Promise.race([gossip.stop(), delay(STOP_MS)]);
    },
  };
}

function tell(event: GossipEvent, log: Log): void {
  switch (event.kind) {
    case "member": {
      const { id, address, state } = event;
      return log.info("a member's state changed", { id: spelled(id), address, state });
    }
    case "refused": {
      const { origin, version, message } = event;
      return log.error("a remote version was refused and stays missing", {
        origin: spelled(origin),
        version,
        reason: message,
      });
    }
    case "rejected":
    case "unreachable":
      return log.warn(`gossip: ${event.kind}`, { address: event.address, reason: event.message });
    case "trouble":
      return log.error("gossip", { reason: event.message });
  }
}

/** As operators see actor ids everywhere else, so that they can be searched for. */
function spelled(id: string): string {
  return actorIdOf(id) ?? id;
}

function storedMembers(gossip: Gossip): StoredMember[] {
  const rtts = new Map(gossip.members().map(({ id, rtts }) => [id, rtts]));
  return gossip.membershipStates().map(({ id, incarnation, state }) => ({
    actorId: id.id.replaceAll("-", ""),
    address: id.addr,
    state,
    incarnation,
    ts: id.ts,
    rttMin: rtts.get(id.id)?.reduce((least, rtt) => Math.min(least, rtt), Number.POSITIVE_INFINITY) ?? null,
  }));
}
