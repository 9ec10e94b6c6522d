/** @module Facts of a card: what it is, and how it is; and the way to the page that tells more. */
import type { ComponentChildren } from "preact";

export function Facts({ children }: { readonly children: ComponentChildren }) {
  return <dl class="grid grid-cols-[auto_1fr] items-baseline gap-x-4 gap-y-2">{children}</dl>;
}

export interface FactProps {
  readonly name: string;
  readonly children: ComponentChildren;
}

export function Fact({ name, children }: FactProps) {
  return (
    <>
      <dt class="text-xs text-muted">{name}</dt>
      <dd class="flex min-w-0 flex-wrap items-center gap-x-2 gap-y-1 font-medium tabular-nums">{children}</dd>
    </>
  );
}

export interface MoreProps {
  /** A page of the dashboard. */
  readonly href: string;
  /** Its title. */
  readonly children: string;
}

export function More({ href, children }: MoreProps) {
  return (
    <a class="rounded text-xs font-medium text-accent underline-offset-2 hover:underline" href={href}>
      {children} <span aria-hidden="true">→</span>
    </a>
  );
}
