/** @module Tells how something ended that was started on this page and went on after the node's answer. */
import { useCallback, useEffect, useRef } from "preact/hooks";
import { toast } from "../../data/toasts.ts";

export interface Ending {
  /** Of the restart, the job, the update. */
  readonly id: string;
  readonly ok: boolean;
  readonly text: string;
}

/** `ending` is the newest that is known; null: nothing has ended. Follow an id, and its end is a toast, once. */
export function useOutcome(ending: Ending | null): (id: string) => void {
  const followed = useRef(new Set<string>());
  const latest = useRef(ending);
  latest.current = ending;
  const look = useCallback(() => {
    const end = latest.current;
    if (end === null || !followed.current.delete(end.id)) return;
    if (end.ok) toast.success(end.text);
    else toast.error(end.text);
  }, []);
  // An ending is another one when its id is.
  useEffect(look, [ending?.id]);
  return useCallback(
    (id: string) => {
      followed.current.add(id);
      // It may have ended before the node's answer came.
      look();
    },
    [look],
  );
}
