/** @module A text that is copied by a click. */
import { toast } from "../data/toasts.ts";
import { classes } from "./classes.ts";

export interface CopyProps {
  readonly text: string;
  /** What it is, e.g. `member id`. */
  readonly what: string;
  /** Shown instead of the whole text, e.g. its beginning. */
  readonly shown?: string;
}

/** Copies a text and tells how that went; `what` it is, e.g. `member id`. */
export async function copyText(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast.success(`Copied the ${what}.`);
  } catch {
    toast.error(`The browser does not let this page copy: select the ${what} and copy it by hand.`);
  }
}

export function Copy({ text, what, shown = text }: CopyProps) {
  return (
    <button
      type="button"
      class={classes(
        "group inline-flex max-w-full items-center gap-1 rounded font-mono text-xs text-ink",
        "underline decoration-transparent decoration-dotted underline-offset-2 transition-colors hover:decoration-line-strong",
      )}
      title={`${text}\nClick to copy`}
      aria-label={`Copy the ${what} ${text}`}
      onClick={() => copyText(text, what)}
    >
      <span class="truncate">{shown}</span>
    </button>
  );
}
