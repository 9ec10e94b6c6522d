/** @module Whether this node takes traffic, read from what it answers, or from that it does not. */
import type { Readiness } from "../../services/raft/fleet-status.ts";
import { ApiError } from "../data/api-error.ts";
import { errorOf, type ResourceState } from "../data/resource.ts";

/** What the node says of itself; `unknown` before it has, `lost` when it cannot be asked. */
export type Readied = Readiness | { readonly status: "unknown" | "lost"; readonly reason?: string };

/** A node that is not ready says so in the body of a 503, which is no failure to answer. */
export function readinessOf(resource: ResourceState<Readiness>): Readied {
  if (resource.kind === "loading") return { status: "unknown" };
  if (resource.kind === "ok") return resource.data;
  const error = errorOf(resource);
  if (error instanceof ApiError && isReadiness(error.body)) return error.body;
  return { status: "lost", reason: error?.message ?? "no answer" };
}

const STATES: readonly string[] = ["ok", "starting", "degraded", "draining"] satisfies Readiness["status"][];

function isReadiness(body: unknown): body is Readiness {
  return (
    typeof body === "object" &&
    body !== null &&
    "status" in body &&
    typeof body.status === "string" &&
    STATES.includes(body.status)
  );
}
