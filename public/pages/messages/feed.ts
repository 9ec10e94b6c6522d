/** @module Whether the node hears of new messages from its agent. */
import type { MessageUpdate } from "../../../services/corrosion/contract.ts";

export type Feed =
  | { readonly kind: "live" }
  /** The agent restarts; what comes meanwhile is caught up. */
  | { readonly kind: "paused" }
  | { readonly kind: "down"; readonly reason: string };

const LIVE: Feed = { kind: "live" };
const PAUSED: Feed = { kind: "paused" };

/** The same one while nothing changes. */
export function feedAfter(feed: Feed, update: MessageUpdate): Feed {
  switch (update.type) {
    case "subscription_paused_for_restart":
      return feed.kind === "paused" ? feed : PAUSED;
    case "subscription_error":
    case "subscription_closed":
      return feed.kind === "down" && feed.reason === update.reason
        ? feed
        : { kind: "down", reason: update.reason };
    default:
      // Whatever else comes, comes from the agent.
      return feed.kind === "live" ? feed : LIVE;
  }
}
