/** @module Tells how the drains end that this page has seen under way. */
import { useEffect, useRef } from "preact/hooks";
import type { FleetStatus } from "../../../services/raft/fleet-status.ts";
import { toast } from "../../data/toasts.ts";
import { drainsEnded } from "../../fleet/drains.ts";

/** `status`: the newest that is known; null: none yet. */
export function useDrains(status: FleetStatus | null): void {
  const before = useRef<FleetStatus | null>(null);
  useEffect(() => {
    if (status === null) return;
    const last = before.current;
    before.current = status;
    if (last === null) return;
    for (const { node, how } of drainsEnded(last, status)) {
      if (how === "drained") toast.success(`Node ${node} is drained: it leads nothing.`);
      else
        toast.error(
          `Node ${node} went away before it had handed over all that it led; the others take over once they miss it.`,
        );
    }
  }, [status]);
}
