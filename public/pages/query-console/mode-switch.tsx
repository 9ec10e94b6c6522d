/** @module Read or write: chosen for each run, and plainly red when it writes. */
import { classes } from "../../components/classes.ts";

export interface ModeSwitchProps {
  readonly writes: boolean;
  readonly onChange: (writes: boolean) => void;
}

export function ModeSwitch({ writes, onChange }: ModeSwitchProps) {
  return (
    <button
      type="button"
      role="switch"
      aria-checked={writes}
      aria-label="Write mode"
      title={writes ? "Statements change data of the whole cluster" : "Statements only read"}
      class={classes(
        "inline-flex h-8 shrink-0 items-center gap-2 rounded-md border px-2.5 text-sm font-medium transition duration-150 select-none active:scale-[0.97]",
        writes
          ? "border-transparent bg-bad-strong text-white"
          : "border-line bg-surface text-ink hover:border-line-strong hover:bg-raised",
      )}
      onClick={() => onChange(!writes)}
    >
      <span
        aria-hidden="true"
        class={classes(
          "flex h-4 w-7 items-center rounded-full px-0.5 transition-colors",
          writes ? "bg-black/30" : "bg-line-strong",
        )}
      >
        <span
          class={classes(
            "size-3 rounded-full bg-white transition-transform duration-150",
            writes && "translate-x-3",
          )}
        />
      </span>
      <span class="w-10 text-left">{writes ? "Write" : "Read"}</span>
    </button>
  );
}
