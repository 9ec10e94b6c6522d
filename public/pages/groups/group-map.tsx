/** @module The groups as a grid of squares, each with its leader's colour and number; arrow keys walk through it. */
import type { ComponentChildren } from "preact";
import { memo } from "preact/compat";
import { useRef } from "preact/hooks";
import { classes } from "../../components/classes.ts";
import { columnsOf, groupName, type LeaderMark } from "../../fleet/leaders.ts";
import { stepFrom } from "./walk.ts";

export interface GroupMapProps {
  readonly leaders: readonly (string | null)[];
  readonly marks: ReadonlyMap<string, LeaderMark>;
  readonly recent: ReadonlySet<number>;
  readonly selected: number | null;
  /** Null: the pointer has left. */
  readonly onPoint: (group: number | null) => void;
  readonly onSelect: (group: number) => void;
}

export function GroupMap({ leaders, marks, recent, selected, onPoint, onSelect }: GroupMapProps) {
  const grid = useRef<HTMLDivElement>(null);
  const columns = columnsOf(leaders.length);
  const rows = Array.from({ length: Math.ceil(leaders.length / columns) }, (_, row) => row * columns);
  // One square takes the tabulator key; the arrows do the rest.
  const reachable = selected !== null && selected < leaders.length ? selected : 0;

  function walk(event: KeyboardEvent): void {
    const group = groupOf(event.target);
    if (group === null) return;
    const next = stepFrom(group, event.key, { columns, count: leaders.length });
    if (next === null) return;
    event.preventDefault();
    grid.current?.querySelector<HTMLElement>(`[data-group="${next}"]`)?.focus();
  }

  return (
    // biome-ignore lint/a11y/useSemanticElements: a table of 256 cells could not keep its squares square
    <div
      ref={grid}
      role="grid"
      aria-label="Map of the groups"
      aria-readonly="true"
      tabIndex={-1}
      class="mx-auto grid w-full max-w-2xl gap-0.5 sm:gap-1"
      onKeyDown={walk}
      onPointerOver={(event) => onPoint(groupOf(event.target))}
      onPointerLeave={() => onPoint(null)}
      onFocusIn={(event) => {
        const group = groupOf(event.target);
        if (group !== null) onSelect(group);
      }}
    >
      {rows.map((from) => (
        <Row key={from} columns={columns}>
          {leaders.slice(from, from + columns).map((leader, column) => (
            <Square
              key={from + column}
              group={from + column}
              leader={leader}
              number={leader === null ? null : (marks.get(leader)?.number ?? null)}
              colour={leader === null ? null : (marks.get(leader)?.colour ?? null)}
              changed={recent.has(from + column)}
              selected={selected === from + column}
              reachable={reachable === from + column}
              small={columns > 32}
            />
          ))}
        </Row>
      ))}
    </div>
  );
}

function Row({ columns, children }: { readonly columns: number; readonly children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: as above
    // biome-ignore lint/a11y/useFocusableInteractive: its squares are what is walked through
    <div
      role="row"
      class="grid gap-0.5 sm:gap-1"
      style={{ gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))` }}
    >
      {children}
    </div>
  );
}

interface SquareProps {
  readonly group: number;
  readonly leader: string | null;
  readonly number: number | null;
  readonly colour: string | null;
  readonly changed: boolean;
  readonly selected: boolean;
  readonly reachable: boolean;
  /** Too small for a number. */
  readonly small: boolean;
}

/** Drawn anew only when something of it changes: there may be thousands. */
const Square = memo(function Square({
  group,
  leader,
  number,
  colour,
  changed,
  selected,
  reachable,
  small,
}: SquareProps) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: as above
    <div
      role="gridcell"
      tabIndex={reachable ? 0 : -1}
      data-group={group}
      // Drawn by the style: its name says it already, in words.
      data-mark={small ? "" : leader === null ? "!" : (number ?? "?")}
      aria-selected={selected}
      aria-label={`${groupName(group)}: ${leader === null ? "no leader" : `led by ${leader}`}`}
      class={classes(
        "before:content-[attr(data-mark)] flex aspect-square cursor-pointer items-center justify-center overflow-hidden rounded-sm text-[0.625rem] leading-none font-semibold tabular-nums transition-colors duration-500 select-none sm:rounded sm:text-[0.6875rem]",
        leader === null && "border border-bad bg-bad-soft text-bad",
        selected && "outline-2 outline-offset-1 outline-ink",
        changed && "animate-pulse ring-2 ring-ink motion-reduce:animate-none",
      )}
      style={
        colour === null
          ? { backgroundColor: "", color: "" }
          : { backgroundColor: colour, color: "var(--on-leader)" }
      }
    ></div>
  );
});

function groupOf(target: EventTarget | null): number | null {
  const name = target instanceof Element ? target.closest("[data-group]")?.getAttribute("data-group") : null;
  return name === null || name === undefined ? null : Number(name);
}
