/** @module A button that is busy for as long as what it started. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { classes } from "./classes.ts";
import { Spinner } from "./spinner.tsx";

const TONES = {
  primary: "bg-accent-strong text-white border-transparent hover:brightness-110",
  danger: "bg-bad-strong text-white border-transparent hover:brightness-110",
  plain: "bg-surface text-ink border-line hover:bg-raised hover:border-line-strong",
  quiet: "bg-transparent text-muted border-transparent hover:bg-raised hover:text-ink",
} as const;

const SIZES = { normal: "h-8 px-3 text-sm", small: "h-7 px-2 text-xs" } as const;

export interface ButtonProps {
  /** While the promise that it returns is open, the button is busy and takes no more clicks. */
  readonly onPress?: () => unknown;
  readonly tone?: keyof typeof TONES;
  readonly size?: keyof typeof SIZES;
  readonly busy?: boolean;
  readonly disabled?: boolean;
  readonly type?: "button" | "submit";
  /** For screen readers, where the text alone does not say it: `Refresh members`. */
  readonly label?: string;
  readonly title?: string;
  /** For a button that stays pressed. */
  readonly pressed?: boolean;
  readonly children: ComponentChildren;
}

export function Button(props: ButtonProps) {
  const { onPress, tone = "plain", size = "normal", disabled = false, type = "button", children } = props;
  const [working, setWorking] = useState(false);
  const gone = useRef(false);
  useEffect(() => {
    gone.current = false;
    return () => {
      gone.current = true;
    };
  }, []);
  const busy = working || props.busy === true;

  async function press(): Promise<void> {
    if (busy || onPress === undefined) return;
    const result = onPress();
    if (!(result instanceof Promise)) return;
    setWorking(true);
    try {
      await result;
    } finally {
      if (!gone.current) setWorking(false);
    }
  }

  return (
    <button
      type={type}
      class={classes(
        "relative inline-flex shrink-0 items-center justify-center rounded-md border font-medium whitespace-nowrap transition duration-150 select-none",
        "active:not-disabled:scale-[0.97] disabled:cursor-not-allowed disabled:opacity-55 aria-busy:cursor-progress",
        TONES[tone],
        SIZES[size],
      )}
      disabled={disabled}
      aria-busy={busy}
      aria-disabled={busy}
      aria-label={props.label}
      aria-pressed={props.pressed}
      title={props.title}
      onClick={press}
    >
      {/* In the place of its text, so that no neighbour moves. */}
      {busy && (
        <span class="absolute">
          <Spinner />
        </span>
      )}
      <span class={classes("inline-flex items-center gap-1.5", busy && "opacity-0")}>{children}</span>
    </button>
  );
}
