/** @module The fleet as this node sees it, and whether the node takes traffic: asked every two seconds. */
import type { FleetStatus, Readiness } from "../../services/raft/fleet-status.ts";
import type { Resource } from "../data/resource.ts";
import { useResource } from "../data/use-resource.ts";
import { type Readied, readinessOf } from "./readiness.ts";

/** No topic tells of leaders: a page that asks this often shows a change of leader as it happens. */
const POLL_MS = 2000;
const TIMEOUT_MS = 5000;

export function useFleet(): Resource<FleetStatus> {
  return useResource<FleetStatus>("/api/fleet/status", { pollMs: POLL_MS, timeoutMs: TIMEOUT_MS });
}

export function useReadiness(): Readied {
  return readinessOf(useResource<Readiness>("/health/ready", { pollMs: POLL_MS, timeoutMs: TIMEOUT_MS }));
}
