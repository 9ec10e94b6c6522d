/** @module The tabs, one a page. */
import { useEffect, useRef } from "preact/hooks";
import { useLocation } from "preact-iso";
import { classes } from "../components/classes.ts";
import { PAGES } from "./pages.ts";

export function Tabs() {
  const { path } = useLocation();
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    // On a narrow screen the open tab may be out of sight.
    list.current?.querySelector(`a[href="${path}"]`)?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [path]);
  return (
    <nav aria-label="Pages" class="overflow-x-auto px-2 [scrollbar-width:none] sm:px-4">
      <ul ref={list} class="flex gap-0.5">
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
  );
}
