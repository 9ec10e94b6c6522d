/** @module A number that is seen from afar, with a line on what it means. */
import type { ComponentChildren } from "preact";

export interface FigureProps {
  readonly title: string;
  readonly value: ComponentChildren;
  readonly children: ComponentChildren;
}

export function Figure({ title, value, children }: FigureProps) {
  return (
    <div class="min-w-0 rounded-lg border border-line bg-surface px-4 py-3">
      <h2 class="text-xs font-medium text-muted">{title}</h2>
      <p class="mt-1 truncate text-2xl font-semibold tracking-tight tabular-nums">{value}</p>
      <p class="mt-0.5 min-h-4 text-xs break-words text-muted">{children}</p>
    </div>
  );
}
