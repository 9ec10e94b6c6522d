/** @module The rows of a result. */
import type { ConsoleCell, QueryResult } from "../../../services/corrosion/contract.ts";
import { type Column, Table } from "../../components/table.tsx";
import { viewOf } from "./cell-text.ts";

interface Row {
  readonly n: number;
  readonly cells: readonly ConsoleCell[];
}

/** Names of columns may be the same: they go by their number. */
export function Grid({ columns, rows }: Pick<QueryResult, "columns" | "rows">) {
  const numbered = rows.map((cells, n): Row => ({ n, cells }));
  const shown: readonly Column<Row>[] = [
    {
      key: "n",
      title: "#",
      align: "right",
      cell: ({ n }) => <span class="text-xs text-muted">{n + 1}</span>,
    },
    ...columns.map(
      (title, i): Column<Row> => ({
        key: String(i),
        title,
        ...(isNumeric(rows, i) && { align: "right" }),
        cell: ({ cells }) => <Cell cell={cells[i] ?? null} />,
      }),
    ),
  ];
  return <Table label="Result" columns={shown} rows={numbered} rowKey={({ n }) => n} />;
}

function Cell({ cell }: { readonly cell: ConsoleCell }) {
  const view = viewOf(cell);
  switch (view.kind) {
    case "null":
      return (
        <span
          data-cell="null"
          class="rounded border border-dashed border-line-strong px-1 text-[0.6875rem] text-muted italic"
        >
          NULL
        </span>
      );
    case "empty":
      return (
        <span data-cell="empty" class="text-xs text-muted italic">
          (empty text)
        </span>
      );
    case "number":
      return <span class="font-mono text-xs">{view.text}</span>;
    case "blob":
      return (
        <span data-cell="blob" class="font-mono text-xs text-accent" title={`Blob of ${view.bytes} bytes`}>
          {view.text} <span class="text-muted">{view.bytes} B</span>
        </span>
      );
    case "text":
      return (
        <span
          class="block max-w-96 truncate font-mono text-xs"
          {...(view.whole !== null && { title: view.whole })}
        >
          {view.text}
        </span>
      );
  }
}

/** By the first rows: a column of numbers stands at the right. */
function isNumeric(rows: QueryResult["rows"], column: number): boolean {
  const known = rows.slice(0, 20).flatMap((row) => (row[column] === null ? [] : [row[column]]));
  return known.length > 0 && known.every((cell) => typeof cell === "number");
}
