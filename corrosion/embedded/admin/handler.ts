/** @module What the commands of the admin socket do. */
import { hyphenated } from "../../../lib/actor-ids.ts";
import type { Gossip } from "../gossip/contract.ts";
import type { ActorId, KnownVersions } from "../replication.ts";
import { SubscriptionRefused, type Subscriptions } from "../subscriptions/contract.ts";
import { AGENT_NAME } from "../version.ts";
import type { AdminHandler } from "./server.ts";

export interface AdminParts {
  readonly actorId: ActorId;
  readonly gossip: Gossip;
  readonly subscriptions: Subscriptions;
  readonly known: () => Promise<KnownVersions>;
  /** Reads the schema files again and applies them; throws why it cannot. */
  readonly reload: () => Promise<void>;
}

/** `parts` resolves when the agent is whole: a command that comes earlier waits. */
export function adminHandler(parts: Promise<AdminParts>): AdminHandler {
  return async (command, replies) => {
    if (command.kind === "ping") return;
    if (command.kind === "lacking") {
      throw new Error(`The ${AGENT_NAME} has no command "${command.name}": use real Corrosion for it.`);
    }
    const { actorId, gossip, subscriptions, known, reload } = await parts;
    switch (command.kind) {
      case "reload":
        await replies.info("reloading schema from configured paths...");
        await reload();
        return replies.info("schema reload finished");
      case "sync":
        await replies.info("generating sync...");
        return replies.json(syncState(actorId, await known()));
      case "members":
        for (const member of gossip.members()) await replies.json(member);
        return;
      case "membership_states":
        await replies.info("gathering membership state");
        for (const member of gossip.membershipStates()) await replies.json(member);
        return;
      case "rejoin":
        gossip.rejoin();
        return replies.info("Rejoined cluster with a renewed identity");
      case "subs_list":
        return replies.json(subscriptions.list().map((entry) => ({ ...entry, sql: oneLine(entry.sql) })));
      case "subs_info": {
        const which = whichSubscription(command.hash, command.id);
        const info = infoOf(subscriptions, which);
        return replies.json({ ...info, original_query: oneLine(info.original_query) });
      }
    }
  };
}

function whichSubscription(hash: string | null, id: string | null): { id: string } | { hash: string } {
  if (hash !== null) return { hash };
  if (id !== null) return { id };
  throw new Error("specify hash or id for subscription");
}

function infoOf(subscriptions: Subscriptions, which: { id: string } | { hash: string }) {
  try {
    return subscriptions.info(which);
  } catch (error) {
    if (error instanceof SubscriptionRefused)
      throw new Error("unknown subscription hash or id", { cause: error });
    throw error;
  }
}

/** The highest version known of each origin, and what is missing below it. */
export function syncState(self: ActorId, known: KnownVersions): unknown {
  const heads: Record<string, bigint> = {};
  const need: Record<string, unknown> = {};
  const partial: Record<string, Record<string, unknown>> = {};
  for (const [origin, versions] of known) {
    const id = hyphenated(origin);
    if (versions.head > 0n) heads[id] = versions.head;
    if (versions.need.length > 0) need[id] = versions.need;
    const missing = versions.partial.map(({ version, missing }): [string, unknown] => [
      String(version),
      missing.map(([start, end]) => ({ start, end })),
    ]);
    if (missing.length > 0) partial[id] = Object.fromEntries(missing);
  }
  return { actor_id: hyphenated(self), heads, need, partial_need: partial, last_cleared_ts: null };
}

function oneLine(sql: string): string {
  return sql
    .split("\n")
    .map((line) => line.trim())
    .join(" ");
}
