/** @module Receptions of all nodes: those of this node live, those of the others asked for now and then. */
import { useCallback, useEffect, useRef } from "preact/hooks";
import type { Reception, Receptions } from "../../../services/acks/contract.ts";
import type { Resource } from "../../data/resource.ts";
import { useResource } from "../../data/use-resource.ts";
import { useStream } from "../../data/use-stream.ts";
import { receptionsAfter } from "./heat.ts";

const POLL_MS = 15_000;
/** Every node of the cluster is asked: however much happens, not more often. */
const ASK_AGAIN_MS = 3000;

export function useReceptions(): Resource<Receptions> {
  const resource = useResource<Receptions>("/api/receptions?scope=cluster", {
    topics: ["reception_updates"],
    pollMs: POLL_MS,
    // The one event of the topic.
    apply: (answer, { data }) => receptionsAfter(answer, data as Reception),
  });
  const askAgain = useDelayed(resource.reload, ASK_AGAIN_MS);
  // What reaches this node, or comes back to it, has reached others too.
  useStream(["reception_updates", "ack_events"], { onEvents: askAgain });
  return resource;
}

/** Runs `work` so long after the first call; calls until then are the same one. */
function useDelayed(work: () => Promise<void>, ms: number): () => void {
  const latest = useRef(work);
  latest.current = work;
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  useEffect(
    () => () => {
      if (timer.current !== null) clearTimeout(timer.current);
    },
    [],
  );
  return useCallback(() => {
    timer.current ??= setTimeout(() => {
      timer.current = null;
      if (!document.hidden) void latest.current();
    }, ms);
  }, [ms]);
}
