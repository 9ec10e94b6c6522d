/** @module Class names put together. */

/** The names that are there, with a space between: `classes("a", on && "b")`. */
export function classes(...names: readonly (string | false | null | undefined)[]): string {
  return names.filter(Boolean).join(" ");
}
