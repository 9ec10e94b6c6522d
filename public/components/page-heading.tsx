/** @module The heading of a page, with what can be done on all of it. */
import type { ComponentChildren } from "preact";

export interface PageHeadingProps {
  readonly title: string;
  /** A sentence on what the page shows. */
  readonly children?: ComponentChildren;
  readonly actions?: ComponentChildren;
}

export function PageHeading({ title, children, actions }: PageHeadingProps) {
  return (
    <div class="flex flex-wrap items-center gap-x-4 gap-y-2">
      <div class="min-w-0">
        <h1 class="text-lg font-semibold tracking-tight">{title}</h1>
        {children !== undefined && <p class="text-sm text-muted">{children}</p>}
      </div>
      {actions !== undefined && <div class="ml-auto flex flex-wrap gap-2">{actions}</div>}
    </div>
  );
}
