/** @module How far a run is, and how many of its messages could not be sent. */
import { classes } from "../../components/classes.ts";
import { countText } from "../../data/wording.ts";
import { fractionOf, type Progress } from "./progress.ts";

export function ProgressBar({ progress, on }: { readonly progress: Progress; readonly on: boolean }) {
  const fraction = fractionOf(progress);
  const { sent, failed, total } = progress;
  return (
    <div>
      {fraction === null ? (
        <p class="text-xs text-muted">
          {on
            ? "It sends nothing by itself: what any node sends until it is stopped belongs to it."
            : "It sent nothing by itself."}
        </p>
      ) : (
        <div
          role="progressbar"
          aria-label="Progress of the experiment"
          aria-valuemin={0}
          aria-valuemax={total}
          aria-valuenow={sent + failed}
          class="h-2 overflow-hidden rounded-full bg-raised"
        >
          <div
            class={classes(
              "h-full rounded-full transition-[width] duration-300",
              failed > 0 ? "bg-warn" : "bg-accent-strong",
            )}
            style={{ width: `${fraction * 100}%` }}
          />
        </div>
      )}
      <p class="mt-1 flex flex-wrap gap-x-3 text-xs text-muted tabular-nums">
        <span>{total === 0 ? `${sent} sent` : `${sent + failed} of ${total}`}</span>
        {failed > 0 && (
          <span class="font-medium text-bad" data-failures>
            {countText(failed, "message")} could not be sent
          </span>
        )}
      </p>
    </div>
  );
}
