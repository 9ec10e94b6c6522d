/** @module A live value that stands still while somebody reads it. */
import { useRef, useState } from "preact/hooks";

export interface Held<Value> {
  /** What to show: the live value, or the one at which the reading began. */
  readonly shown: Value;
  /** For the element around it: the pointer over it, or the focus in it, is reading. */
  readonly readers: {
    readonly onPointerEnter: () => void;
    readonly onPointerLeave: () => void;
    readonly onFocusIn: () => void;
    readonly onFocusOut: () => void;
  };
  /** Shows the live value of now, and holds that. */
  readonly catchUp: () => void;
}

export function useHeld<Value>(live: Value): Held<Value> {
  const [pointed, setPointed] = useState(false);
  const [focused, setFocused] = useState(false);
  const [, drawAnew] = useState(live);
  const kept = useRef(live);
  if (!pointed && !focused) kept.current = live;
  return {
    shown: kept.current,
    readers: {
      onPointerEnter: () => setPointed(true),
      onPointerLeave: () => setPointed(false),
      onFocusIn: () => setFocused(true),
      onFocusOut: () => setFocused(false),
    },
    catchUp() {
      kept.current = live;
      drawAnew(live);
    },
  };
}
