/** @module One cell of a result, whole: what the grid has no room for. */
import { Button } from "../../components/button.tsx";
import { copyText } from "../../components/copy.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { countText } from "../../data/wording.ts";

export interface WholeCell {
  readonly column: string;
  /** Counted from 1. */
  readonly row: number;
  /** A text, or the hexadecimal digits of a blob. */
  readonly content: { readonly kind: "text" | "blob"; readonly text: string };
}

/** More than this makes a browser slow, and nobody reads it here. */
const SHOWN = 100_000;

export function CellDialog({ cell, onClose }: { readonly cell: WholeCell; readonly onClose: () => void }) {
  const { kind, text } = cell.content;
  const size = kind === "blob" ? countText(text.length / 2, "byte") : countText(text.length, "character");
  return (
    <Dialog title={`${cell.column}, row ${cell.row.toLocaleString("en")}`} onCancel={onClose}>
      <p class="mt-1 text-xs text-muted tabular-nums">
        {kind === "blob" ? `Blob of ${size}` : size}
        {text.length > SHOWN &&
          `, of which the first ${countText(SHOWN, "character")} are shown: copy it, or export it`}
      </p>
      <section
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        aria-label="Content of the cell"
        class="mt-3 max-h-[50vh] overflow-auto rounded-md border border-line bg-canvas p-3"
      >
        <pre class="font-mono text-xs leading-5 break-words whitespace-pre-wrap">{text.slice(0, SHOWN)}</pre>
      </section>
      <div class="mt-4 flex justify-end gap-2">
        <Button onPress={() => copyText(text, "cell")}>Copy</Button>
        <Button tone="primary" onPress={onClose}>
          Close
        </Button>
      </div>
    </Dialog>
  );
}
