/** @module Tells when live events have stopped: the page then asks every 5 s. */

import { useNow } from "../data/now.ts";
import { streamDownSince } from "../data/stream.ts";
import { ageText } from "../data/wording.ts";

/** A reconnect that takes less is nobody's concern. */
const GRACE_MS = 1500;

export function ConnectionBanner() {
  const since = streamDownSince.value;
  return since === null ? null : <Banner since={since} />;
}

function Banner({ since }: { readonly since: number }) {
  const forMs = useNow() - since;
  if (forMs < GRACE_MS) return null;
  return (
    <p
      role="status"
      data-banner="disconnected"
      class="bg-warn-soft px-4 py-1 text-center text-sm font-medium text-warn"
    >
      Live updates are interrupted ({ageText(forMs)}). Asking every 5 s, reconnecting …
    </p>
  );
}
