/** @module The page's clock, which ticks once a second for everything that shows an age. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

const now = signal(Date.now());
let users = 0;
let timer: ReturnType<typeof setInterval> | null = null;

/** Milliseconds since 1970; the component is drawn anew each second. */
export function useNow(): number {
  useEffect(() => {
    users += 1;
    now.value = Date.now();
    timer ??= setInterval(() => {
      now.value = Date.now();
    }, 1000);
    return () => {
      users -= 1;
      if (users > 0 || timer === null) return;
      clearInterval(timer);
      timer = null;
    };
  }, []);
  return now.value;
}
