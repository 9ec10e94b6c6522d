/** @module Steps in a row: what is done, what goes on, what failed; said in words too. */
import { classes } from "../../components/classes.ts";
import { Spinner } from "../../components/spinner.tsx";
import type { StepView } from "./job-steps.ts";

export interface StepsProps {
  /** What they are steps of, for screen readers. */
  readonly label: string;
  readonly steps: readonly StepView[];
}

const LOOKS: Readonly<Record<StepView["state"], string>> = {
  done: "bg-good-soft text-good",
  current: "bg-accent-soft text-accent",
  failed: "bg-bad-soft text-bad",
  waiting: "bg-raised text-muted",
};

const MARKS: Readonly<Record<StepView["state"], string>> = {
  done: "✓",
  current: "",
  failed: "✕",
  waiting: "·",
};

export function Steps({ label, steps }: StepsProps) {
  return (
    <ol aria-label={label} class="flex flex-wrap gap-1.5">
      {steps.map(({ name, state }) => (
        <li
          key={name}
          data-step={state}
          aria-current={state === "current" ? "step" : undefined}
          class={classes(
            "inline-flex h-6 items-center gap-1.5 rounded-full px-2.5 text-xs font-medium transition-colors duration-300",
            LOOKS[state],
          )}
        >
          {state === "current" ? <Spinner /> : <span aria-hidden="true">{MARKS[state]}</span>}
          {name}
          <span class="sr-only">, {state}</span>
        </li>
      ))}
    </ol>
  );
}
