/** @module A node of the fleet in words and colour. */
import type { FleetNode } from "../../services/raft/fleet-status.ts";
import { Badge } from "../components/badge.tsx";
import type { LeaderMark } from "./leaders.ts";
import type { Readied } from "./readiness.ts";

export function NodeState({ node: { available, draining, leads } }: { readonly node: FleetNode }) {
  if (!available) return <Badge tone="bad">not answering</Badge>;
  if (!draining) return <Badge tone="good">available</Badge>;
  return leads > 0 ? <Badge tone="warn">draining</Badge> : <Badge tone="warn">drained</Badge>;
}

/** The square that stands for a node on the map, with its number. */
export function Swatch({ mark }: { readonly mark: LeaderMark | undefined }) {
  return (
    <span
      aria-hidden="true"
      class="inline-flex size-5 shrink-0 items-center justify-center rounded text-[0.6875rem] font-semibold tabular-nums"
      style={mark === undefined ? {} : { backgroundColor: mark.colour, color: "var(--on-leader)" }}
    >
      {mark?.number ?? "?"}
    </span>
  );
}

/** Whether this node takes traffic; has its place before that is known, so that the answer moves nothing. */
export function ReadinessBadge({ readiness }: { readonly readiness: Readied }) {
  return (
    <span class="inline-flex min-w-20 justify-end">
      <Readiness key={readiness.status} readiness={readiness} />
    </span>
  );
}

function Readiness({ readiness: { status, reason } }: { readonly readiness: Readied }) {
  if (status === "unknown") return <Badge>checking…</Badge>;
  if (status === "ok") return <Badge tone="good">ready</Badge>;
  if (status === "lost") {
    return (
      <Badge tone="bad" {...(reason !== undefined && { title: reason })}>
        not answering
      </Badge>
    );
  }
  const why = reason === undefined || reason === status ? "" : `: ${reason.replaceAll("_", " ")}`;
  return (
    <Badge tone={status === "degraded" ? "bad" : "warn"}>
      {status}
      {why}
    </Badge>
  );
}
