/** @module Where a list of messages stands: at its newest, or where somebody reads, whatever comes above or below. */
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

/** Pixels from the bottom that still count as being there. */
const NEAR = 24;
/** Pixels from either end at which more is loaded, before somebody sees the end. */
const EDGE = 400;

/** A row, and how far below the upper edge of the list it stands. */
interface Anchor {
  readonly row: Element;
  readonly top: number;
}

export interface ScrollPlace {
  readonly box: RefObject<HTMLElement | null>;
  readonly onScroll: () => void;
}

export interface ScrollOptions {
  readonly following: boolean;
  readonly onFollowing: (following: boolean) => void;
  readonly onNearStart: () => unknown;
  readonly onNearEnd: () => unknown;
  /** The newest is not in the list: its end is not the end. */
  readonly more: boolean;
}

/**
 * Keeps the end of the list in sight while `following`, and otherwise the row that is read in its place. Rows have
 * `data-seq`. The browser's own anchoring is to be off: it does nothing at the very top, and not in every browser.
 */
export function useScrollPlace(options: ScrollOptions): ScrollPlace {
  const { following, more } = options;
  const box = useRef<HTMLElement>(null);
  const latest = useRef(options);
  latest.current = options;
  // This is drawn because something changed; what is in the page now is still as it was.
  const anchor = following || box.current === null ? null : anchorOf(box.current);

  useLayoutEffect(() => {
    const scroller = box.current;
    if (scroller === null) return;
    if (following) scroller.scrollTop = scroller.scrollHeight;
    else if (anchor?.row.isConnected) {
      const moved = topOf(anchor.row, scroller) - anchor.top;
      // Any write ends a smooth scroll that is under way, even one that changes nothing.
      if (moved !== 0) scroller.scrollTop += moved;
    }
  });

  useEffect(() => {
    const scroller = box.current;
    const content = scroller?.firstElementChild;
    if (!scroller || !content) return undefined;
    const observer = new ResizeObserver(() => {
      if (latest.current.following) scroller.scrollTop = scroller.scrollHeight;
    });
    observer.observe(scroller);
    observer.observe(content);
    return () => observer.disconnect();
  }, []);

  return {
    box,
    onScroll() {
      const scroller = box.current;
      if (scroller === null) return;
      const below = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
      // Who follows goes on while newer ones are still being fetched; nobody begins to there.
      const atEnd = below < NEAR && (!more || following);
      if (atEnd !== following) latest.current.onFollowing(atEnd);
      if (scroller.scrollTop < EDGE) latest.current.onNearStart();
      if (below < EDGE) latest.current.onNearEnd();
    },
  };
}

/** The first row that is in sight. */
function anchorOf(scroller: HTMLElement): Anchor | null {
  const rows = scroller.querySelectorAll("[data-seq]");
  let from = 0;
  let to = rows.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (rows[middle]!.getBoundingClientRect().bottom > scroller.getBoundingClientRect().top) to = middle;
    else from = middle + 1;
  }
  const row = rows[from];
  return row === undefined ? null : { row, top: topOf(row, scroller) };
}

function topOf(row: Element, scroller: HTMLElement): number {
  return row.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
}
