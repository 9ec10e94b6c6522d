/** @module The fleet as this node sees it, and whether the node takes traffic. */
import type { FleetStatus, Readiness } from "../../services/raft/fleet-status.ts";
import type { Resource } from "../data/resource.ts";
import { useResource } from "../data/use-resource.ts";
import { type Readied, readinessOf } from "./readiness.ts";

/** No event tells how far logs and archive are; and while the stream is down, this shows a change of leader too. */
const POLL_MS = 2000;
const TIMEOUT_MS = 5000;

/** A change of leader is an event, after which the fleet is asked at once: all that is shown is of one answer. */
export function useFleet(): Resource<FleetStatus> {
  return useResource<FleetStatus>("/api/fleet/status", {
    topics: ["groups"],
    pollMs: POLL_MS,
    timeoutMs: TIMEOUT_MS,
  });
}

export function useReadiness(): Readied {
  return readinessOf(useResource<Readiness>("/health/ready", { pollMs: POLL_MS, timeoutMs: TIMEOUT_MS }));
}
