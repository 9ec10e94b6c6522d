/** @module The changes of leaders that this page has seen since it was opened. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { FleetStatus } from "../../../services/raft/fleet-status.ts";
import { changesBetween, type LeaderChange } from "../../fleet/leaders.ts";

/** A change of every group, and then some. */
const KEPT = 500;
/** How long a group that changed stands out on the map. */
const RECENT_MS = 5000;

export interface SeenChanges {
  /** Newest first, bounded. */
  readonly list: readonly LeaderChange[];
  /** Since when the page looks, milliseconds since 1970; null: it has seen nothing yet. */
  readonly since: number | null;
  /** Groups that changed a moment ago. */
  readonly recent: ReadonlySet<number>;
}

const NONE: ReadonlySet<number> = new Set();

/** `leaders`: the newest that are known; null: none yet. */
export function useLeaderChanges(leaders: FleetStatus["leaders"] | null): SeenChanges {
  const before = useRef<FleetStatus["leaders"] | null>(null);
  const [seen, setSeen] = useState<SeenChanges>({ list: [], since: null, recent: NONE });

  useEffect(() => {
    if (leaders === null) return;
    const at = Date.now();
    const last = before.current;
    before.current = leaders;
    if (last === null) {
      setSeen((old) => ({ ...old, since: at }));
      return;
    }
    const fresh = changesBetween(last, leaders, at);
    if (fresh.length === 0) return;
    setSeen(({ list, since, recent }) => ({
      since,
      list: [...fresh, ...list].slice(0, KEPT),
      recent: new Set([...recent, ...fresh.map(({ group }) => group)]),
    }));
  }, [leaders]);

  const { recent } = seen;
  useEffect(() => {
    if (recent.size === 0) return undefined;
    const timer = setTimeout(() => setSeen((old) => ({ ...old, recent: NONE })), RECENT_MS);
    return () => clearTimeout(timer);
  }, [recent]);

  return seen;
}
