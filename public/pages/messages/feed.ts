/** @module Whether the node hears of new messages from its agent. */
import type { MessageUpdate, SubscriberStatus } from "../../../services/corrosion/contract.ts";

export type Feed =
  | { readonly kind: "live" }
  /** The agent restarts; what comes meanwhile is caught up. */
  | { readonly kind: "paused" }
  | { readonly kind: "down"; readonly reason: string };

const LIVE: Feed = { kind: "live" };
const PAUSED: Feed = { kind: "paused" };

/** What the page is told when its stream opens; `before` while the node itself does not know yet. */
export function feedOf({ state, reason }: SubscriberStatus, before: Feed): Feed {
  switch (state) {
    case "connected":
      return LIVE;
    case "paused_for_restart":
      return PAUSED;
    case "disconnected":
    case "error":
      return { kind: "down", reason: reason ?? "" };
    default:
      return before;
  }
}

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
