/** @module The tabs, one a page; where they do not fit they scroll, and show that there are more. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { classes } from "../components/classes.ts";
import { PAGES } from "./pages.ts";

export function Tabs() {
  const { path } = useLocation();
  const bar = useRef<HTMLElement>(null);
  const more = useMore(bar);
  useEffect(() => {
    // On a narrow screen the open tab may be out of sight.
    const open = bar.current?.querySelector(`a[href="${path}"]`);
    open?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [path]);

  const turn = (direction: -1 | 1) => {
    const { current } = bar;
    current?.scrollBy({ left: direction * current.clientWidth * 0.7, behavior: "smooth" });
  };
  return (
    <div class="relative">
      <nav ref={bar} aria-label="Pages" class="overflow-x-auto px-2 [scrollbar-width:none] sm:px-4">
        <ul class="flex w-max gap-0.5">
          {PAGES.map((page) => {
            const open = page.path === path;
            return (
              <li key={page.path}>
                <a
                  href={page.path}
                  aria-current={open ? "page" : undefined}
                  class={classes(
                    "block border-b-2 px-2.5 py-2 text-sm whitespace-nowrap transition-colors duration-150 -outline-offset-2!",
                    open
                      ? "border-accent font-semibold text-ink"
                      : "border-transparent text-muted hover:border-line-strong hover:text-ink",
                  )}
                >
                  {page.title}
                </a>
              </li>
            );
          })}
        </ul>
      </nav>
      <MoreTabs side="left" shown={more.left} onPress={() => turn(-1)} />
      <MoreTabs side="right" shown={more.right} onPress={() => turn(1)} />
    </div>
  );
}

interface MoreTabsProps {
  readonly side: "left" | "right";
  readonly shown: boolean;
  readonly onPress: () => void;
}

const SIDES = {
  left: { place: "left-0 justify-start bg-linear-to-r", sign: "‹" },
  right: { place: "right-0 justify-end bg-linear-to-l", sign: "›" },
} as const;

/** For fingers and mice: by keyboard and for screen readers the tabs are a list like any other. */
function MoreTabs({ side, shown, onPress }: MoreTabsProps) {
  const { place, sign } = SIDES[side];
  return (
    <button
      type="button"
      aria-hidden="true"
      tabIndex={-1}
      data-more-tabs={shown ? side : undefined}
      class={classes(
        "absolute inset-y-0 flex w-12 items-center from-surface from-40% to-transparent px-2 text-lg text-muted transition-opacity duration-150",
        place,
        !shown && "pointer-events-none opacity-0",
      )}
      onClick={onPress}
    >
      {sign}
    </button>
  );
}

/** On which sides tabs are out of sight. */
function useMore(bar: { readonly current: HTMLElement | null }): { left: boolean; right: boolean } {
  const [more, setMore] = useState({ left: false, right: false });
  const look = useCallback(() => {
    const { current } = bar;
    if (current === null) return;
    const { clientWidth, scrollLeft, scrollWidth } = current;
    // A zoomed page rounds to less than a pixel.
    const next = { left: scrollLeft > 1, right: scrollLeft + clientWidth < scrollWidth - 1 };
    setMore((before) => (before.left === next.left && before.right === next.right ? before : next));
  }, [bar]);
  useEffect(() => {
    const { current } = bar;
    if (current === null) return undefined;
    look();
    current.addEventListener("scroll", look, { passive: true });
    const observer = new ResizeObserver(look);
    observer.observe(current);
    return () => {
      current.removeEventListener("scroll", look);
      observer.disconnect();
    };
  }, [bar, look]);
  return more;
}
