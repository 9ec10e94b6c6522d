/** @module The heatmap itself: a row a node, a column a message, and a place for each message that may still come. */
import { classes } from "../../components/classes.ts";
import { NodeName } from "../../components/node-name.tsx";
import { type Cell, COLUMNS, type Heat, type Shade, shadeOf } from "./heat.ts";

const NODE = "sticky left-0 w-40 bg-surface py-0 pr-2 pl-4 text-left font-normal sm:w-52";
const TAIL = 4;
/** By position, and not by message: when one comes, texts change and nothing moves. */
const PLACES = Array.from({ length: COLUMNS }, (_, place) => place);

/** Colours of a number of receptions. */
export const SHADES: Readonly<Record<Shade, string>> = {
  0: "bg-raised text-muted",
  1: "bg-accent-soft text-accent",
  2: "bg-accent/30 text-ink",
  3: "bg-accent/45 text-ink",
  4: "bg-accent-strong text-white",
};

export function HeatmapGrid({ heat: { messages, rows } }: { readonly heat: Heat }) {
  return (
    <section
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      aria-label="Receptions by node and message"
      class="relative overflow-x-auto pt-2 pb-1"
    >
      <table class="w-full min-w-280 table-fixed border-separate border-spacing-x-0 border-spacing-y-1 text-xs">
        <thead>
          <tr class="text-muted">
            <th scope="col" class={NODE}>
              Node
            </th>
            {PLACES.map((place) => (
              <Heading key={place} message={messages[place]} />
            ))}
            <td class="w-3" />
          </tr>
        </thead>
        <tbody>
          {rows.map(({ nodeId, cells }) => (
            <tr key={nodeId}>
              <th scope="row" class={NODE}>
                <NodeName id={nodeId} />
              </th>
              {PLACES.map((place) => (
                <td key={place} class="px-0.5 py-0">
                  <HeatCell cell={cells[place]} of={`${nodeId}: ${messages[place]?.pk ?? ""}`} />
                </td>
              ))}
              <td />
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Heading({ message }: { readonly message: Heat["messages"][number] | undefined }) {
  if (message === undefined) return <td />;
  return (
    <th
      scope="col"
      class="truncate p-0 text-center font-normal tabular-nums"
      title={`${message.pk}\n${message.message}`}
    >
      {tailOf(message.sequence)}
    </th>
  );
}

/** Its last digits, as room is short: the title has all. */
function tailOf(sequence: number): string {
  const text = String(sequence);
  return text.length <= TAIL ? text : `…${text.slice(-TAIL)}`;
}

interface HeatCellProps {
  /** Undefined: no message has this place yet. */
  readonly cell: Cell | undefined;
  readonly of: string;
}

function HeatCell({ cell, of }: HeatCellProps) {
  if (cell === undefined) return <span class="block h-7 rounded bg-raised/50" />;
  const [text, said, colours] = shown(cell);
  return (
    <span
      class={classes(
        "flex h-7 items-center justify-center rounded font-medium tabular-nums transition-colors duration-300",
        colours,
      )}
      title={`${of}, ${said}`}
      data-heat={text}
    >
      {text}
    </span>
  );
}

function shown(cell: Cell): readonly [text: string, said: string, colours: string] {
  switch (cell.kind) {
    case "sent":
      return ["sent", "sent by this node", "border border-dashed border-line text-muted"];
    case "unknown":
      return ["?", "the node does not answer", "bg-warn-soft text-warn"];
    case "count":
      return [String(cell.count), `received ${cell.count} ×`, SHADES[shadeOf(cell.count)]];
  }
}
