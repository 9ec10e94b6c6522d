/** @module The page's one timer, which asks for everything that the page shows. */
import { useEffect, useRef } from "preact/hooks";
import { streamState } from "../../data/stream.ts";
import { DOWN_POLL_MS } from "../../data/use-resource.ts";

/** Calls `reload` each `everyMs`, at most 5 s apart while live events are interrupted; a hidden page when it is seen again. */
export function useRefresh(everyMs: number, reload: () => Promise<unknown>): void {
  const latest = useRef(reload);
  latest.current = reload;
  const ms = streamState.value === "down" ? Math.min(everyMs, DOWN_POLL_MS) : everyMs;
  useEffect(() => {
    let missed = false;
    const timer = setInterval(() => {
      if (document.hidden) missed = true;
      else void latest.current();
    }, ms);
    const seen = () => {
      if (document.hidden || !missed) return;
      missed = false;
      void latest.current();
    };
    document.addEventListener("visibilitychange", seen);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [ms]);
}
