/** @module A value that stays the same object while its content does. */
import { useRef } from "preact/hooks";

interface Kept<T> {
  /** What is given out. */
  readonly value: T;
  readonly text: string;
  /** The last object that was looked at: it need not be looked at again. */
  seen: T;
}

/** So that a chart is drawn anew, and its tooltip lost, only when there is something new to draw. */
export function useSteady<T>(value: T): T {
  const kept = useRef<Kept<T> | null>(null);
  if (kept.current === null || kept.current.seen !== value) {
    const text = JSON.stringify(value);
    if (kept.current?.text === text) kept.current.seen = value;
    else kept.current = { value, text, seen: value };
  }
  return kept.current.value;
}
