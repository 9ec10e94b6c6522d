/** @module Where SQL is written: Tab steps lines in and out, Ctrl+Enter runs, Escape lets Tab leave. */
import { useId, useRef } from "preact/hooks";
import { classes } from "../../components/classes.ts";
import { type Edit, tabEdit } from "./tab-key.ts";

export interface EditorProps {
  readonly sql: string;
  readonly onChange: (sql: string) => void;
  readonly onRun: () => void;
  /** One sentence; null: fine. */
  readonly error: string | null;
  readonly placeholder: string;
  /** What is written changes data. */
  readonly writes: boolean;
}

const MAX_SQL = 64 * 1024;

export function Editor({ sql, onChange, onRun, error, placeholder, writes }: EditorProps) {
  const id = useId();
  const leaving = useRef(false);

  function press(event: KeyboardEvent & { readonly currentTarget: HTMLTextAreaElement }): void {
    const { key, currentTarget: area } = event;
    if (key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      onRun();
      return;
    }
    if (key === "Tab" && !leaving.current && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      const selection = { text: area.value, from: area.selectionStart, to: area.selectionEnd };
      const edit = tabEdit(selection, event.shiftKey);
      if (edit !== null) apply(area, edit);
      return;
    }
    // Shift is held before the Tab that leaves backwards.
    if (key !== "Shift") leaving.current = key === "Escape";
  }

  return (
    <div>
      <label for={id} class="mb-1 block text-xs font-medium text-muted">
        SQL
      </label>
      <textarea
        id={id}
        rows={8}
        value={sql}
        maxLength={MAX_SQL}
        placeholder={placeholder}
        spellcheck={false}
        autocomplete="off"
        autocapitalize="off"
        wrap="off"
        aria-invalid={error !== null}
        aria-describedby={`${id}-note`}
        aria-keyshortcuts="Control+Enter Meta+Enter"
        class={classes(
          "block w-full resize-y rounded-md border bg-surface px-3 py-2 font-mono text-xs leading-5 text-ink transition-colors placeholder:text-muted",
          error !== null || writes ? "border-bad" : "border-line-strong/60 hover:border-line-strong",
        )}
        onInput={(event) => onChange(event.currentTarget.value)}
        onKeyDown={press}
        onBlur={() => {
          leaving.current = false;
        }}
      />
      <p id={`${id}-note`} class="mt-1 text-xs text-muted">
        {error !== null && (
          <span role="alert" class="mr-2 text-bad">
            {error}
          </span>
        )}
        Ctrl+Enter or ⌘+Enter runs it. Tab indents; Esc, then Tab leaves the editor.
      </p>
    </div>
  );
}

/** By the browser's own command, so that Ctrl+Z takes it back. */
function apply(area: HTMLTextAreaElement, { from, to, insert, select }: Edit): void {
  area.setSelectionRange(from, to);
  const done =
    insert === "" ? document.execCommand("delete") : document.execCommand("insertText", false, insert);
  if (!done) {
    area.setRangeText(insert, from, to);
    area.dispatchEvent(new Event("input", { bubbles: true }));
  }
  area.setSelectionRange(...select);
}
