/** @module The toasts, in the corner; screen readers speak them. */
import { classes } from "../components/classes.ts";
import { closeToast, type Toast, toasts } from "../data/toasts.ts";

const EDGES: Readonly<Record<Toast["tone"], string>> = {
  good: "border-l-good",
  bad: "border-l-bad",
  info: "border-l-accent",
};

export function Toasts() {
  return (
    <section
      aria-label="Notifications"
      aria-live="polite"
      class="pointer-events-none fixed inset-x-3 bottom-3 z-40 flex max-h-[70vh] flex-col-reverse items-end gap-2 overflow-y-auto sm:left-auto sm:w-96"
    >
      {/* The newest first, drawn from below: it is in sight however many there are. */}
      {toasts.value.toReversed().map(({ id, tone, text }) => (
        <div
          key={id}
          data-toast={tone}
          role={tone === "bad" ? "alert" : undefined}
          class={classes(
            "pointer-events-auto flex w-full items-start gap-2 rounded-md border border-l-4 border-line bg-surface py-2.5 pr-2 pl-3 text-sm shadow-lg",
            "transition duration-200 starting:translate-y-2 starting:opacity-0",
            EDGES[tone],
          )}
        >
          <p class="min-w-0 flex-1 break-words">{text}</p>
          <button
            type="button"
            class="rounded px-1.5 text-muted transition-colors hover:bg-raised hover:text-ink"
            aria-label="Close this notification"
            onClick={() => closeToast(id)}
          >
            ×
          </button>
        </div>
      ))}
    </section>
  );
}
