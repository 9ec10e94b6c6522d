/** @module The rows of a result. */
import type { ComponentChildren } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { ConsoleCell, QueryResult } from "../../../services/corrosion/contract.ts";
import { type Column, Table } from "../../components/table.tsx";
import { CellDialog, type WholeCell } from "./cell-dialog.tsx";
import { viewOf } from "./cell-text.ts";

interface Row {
  readonly n: number;
  readonly cells: readonly ConsoleCell[];
}

type Rows = Pick<QueryResult, "columns" | "rows">;

/** A cell that has more than its place shows is a button: a press shows it whole. */
export function Grid({ columns, rows }: Rows) {
  const [whole, setWhole] = useState<WholeCell | null>(null);
  const numbered = useMemo(() => rows.map((cells, n): Row => ({ n, cells })), [rows]);
  const shown = useMemo(() => columnsOf({ columns, rows }, setWhole), [columns, rows]);
  return (
    <>
      <Table label="Result" columns={shown} rows={numbered} rowKey={({ n }) => n} />
      {whole !== null && <CellDialog cell={whole} onClose={() => setWhole(null)} />}
    </>
  );
}

/** Names of columns may be the same: they go by their number. */
function columnsOf({ columns, rows }: Rows, open: (cell: WholeCell) => void): readonly Column<Row>[] {
  return [
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
        cell: ({ cells, n }) => (
          <Cell cell={cells[i] ?? null} onOpen={(content) => open({ column: title, row: n + 1, content })} />
        ),
      }),
    ),
  ];
}

interface CellProps {
  readonly cell: ConsoleCell;
  readonly onOpen: (content: WholeCell["content"]) => void;
}

function Cell({ cell, onOpen }: CellProps) {
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
        <Content {...view} onOpen={onOpen}>
          <span data-cell="blob" class="text-accent">
            {view.text}
          </span>{" "}
          <span class="text-muted">{view.bytes} B</span>
        </Content>
      );
    case "text":
      return (
        <Content {...view} onOpen={onOpen}>
          {view.text}
        </Content>
      );
  }
}

interface ContentProps {
  readonly kind: WholeCell["content"]["kind"];
  /** Null: the grid shows all of it. */
  readonly whole: string | null;
  readonly onOpen: CellProps["onOpen"];
  readonly children: ComponentChildren;
}

function Content({ kind, whole, onOpen, children }: ContentProps) {
  if (whole === null) return <span class="font-mono text-xs">{children}</span>;
  return (
    <button
      type="button"
      title="Show it whole"
      class="block max-w-96 cursor-zoom-in truncate rounded text-left font-mono text-xs underline decoration-line-strong decoration-dotted underline-offset-4 hover:decoration-ink"
      onClick={() => onOpen({ kind, text: whole })}
    >
      {children}
    </button>
  );
}

/** By the first rows: a column of numbers stands at the right. */
function isNumeric(rows: QueryResult["rows"], column: number): boolean {
  const known = rows.slice(0, 20).flatMap((row) => (row[column] === null ? [] : [row[column]]));
  return known.length > 0 && known.every((cell) => typeof cell === "number");
}
