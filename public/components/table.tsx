/** @module A table with a header that stays in sight; over 100 rows, only those in sight are drawn. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { classes } from "./classes.ts";
import { windowOf } from "./window.ts";

export interface Column<Row> {
  readonly key: string;
  readonly title: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** Numbers stand at the right. */
  readonly align?: "right";
  /** More classes for its cells, e.g. `w-1/2`, or `whitespace-normal` for text that may break (never in long tables). */
  readonly class?: string;
}

export interface TableProps<Row> {
  /** What it shows, for screen readers. */
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  /** By its place, in a list that lives at its head: then what comes changes texts, and moves nothing. */
  readonly rowKey: (row: Row, place: number) => string | number;
  /** More classes for a row, e.g. for the node's own. */
  readonly rowClass?: (row: Row) => string;
  /** Height of a long table. */
  readonly maxHeight?: string;
}

const WINDOWED_OVER = 100;
const ROW_HEIGHT = 36;
const OVERSCAN = 12;

export function Table<Row>({
  label,
  columns,
  rows,
  rowKey,
  rowClass,
  maxHeight = "max-h-[32rem]",
}: TableProps<Row>) {
  const scroller = useRef<HTMLElement>(null);
  const [sight, setSight] = useState({ scrollTop: 0, height: 600 });
  const windowed = rows.length > WINDOWED_OVER;

  useEffect(() => {
    const box = scroller.current;
    if (box === null || !windowed) return undefined;
    const look = () => setSight({ scrollTop: box.scrollTop, height: box.clientHeight });
    look();
    box.addEventListener("scroll", look, { passive: true });
    const observer = new ResizeObserver(look);
    observer.observe(box);
    return () => {
      box.removeEventListener("scroll", look);
      observer.disconnect();
    };
  }, [windowed]);

  const { from, to } = windowed
    ? windowOf({ count: rows.length, rowHeight: ROW_HEIGHT, overscan: OVERSCAN, ...sight })
    : { from: 0, to: rows.length };

  return (
    <section
      ref={scroller}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      aria-label={label}
      class={classes("relative overflow-auto", maxHeight)}
    >
      <table
        class="w-full border-separate border-spacing-0 text-left text-sm"
        aria-rowcount={rows.length + 1}
      >
        <thead>
          <tr>
            {columns.map((column) => (
              <th
                key={column.key}
                scope="col"
                class={classes(
                  "sticky top-0 z-10 border-b border-line bg-raised px-3 py-1.5 text-xs font-medium whitespace-nowrap text-muted first:pl-4 last:pr-4",
                  column.align === "right" && "text-right",
                )}
              >
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <Spacer rows={from} />
          {rows.slice(from, to).map((row, i) => (
            <tr
              key={rowKey(row, from + i)}
              aria-rowindex={from + i + 2}
              class={classes("transition-colors hover:bg-raised/60", windowed && "h-9", rowClass?.(row))}
            >
              {columns.map((column) => (
                <td
                  key={column.key}
                  class={classes(
                    "border-b border-line/70 px-3 py-1.5 first:pl-4 last:pr-4",
                    windowed && "max-w-96 truncate",
                    column.align === "right" && "text-right tabular-nums",
                    column.class ?? "whitespace-nowrap",
                  )}
                >
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
          <Spacer rows={rows.length - to} />
        </tbody>
      </table>
    </section>
  );
}

/** As high as the rows that are not drawn. */
function Spacer({ rows }: { readonly rows: number }) {
  if (rows <= 0) return null;
  return (
    <tr>
      <td style={{ height: `${rows * ROW_HEIGHT}px`, padding: 0 }} />
    </tr>
  );
}
