/** @module How long ago something was, kept current. */
import { useNow } from "../data/now.ts";
import { ageText } from "../data/wording.ts";

/** `at`: milliseconds since 1970, or an ISO time. `before` stands in front, e.g. `updated`. */
export function Age({ at, before = "" }: { readonly at: number | string; readonly before?: string }) {
  const now = useNow();
  const time = typeof at === "number" ? at : Date.parse(at);
  if (Number.isNaN(time)) return <span>{String(at)}</span>;
  const age = ageText(Math.max(0, now - time));
  return (
    <time
      class="tabular-nums"
      dateTime={new Date(time).toISOString()}
      title={new Date(time).toLocaleString("en-GB")}
    >
      {before && `${before} `}
      {age === "now" ? "just now" : `${age} ago`}
    </time>
  );
}
