/** @module A node's promise to one cluster update: while it stands no other one gets the node. */

export interface Reservation {
  readonly update_id: string;
  readonly initiator: string;
  /** On a monotonic clock, in milliseconds. */
  readonly expires: number;
}

/** A reservation that is not renewed for so long is nobody's. */
export const RESERVATION_MS = 120_000;

export type Grant =
  | { readonly kind: "granted"; readonly reservation: Reservation }
  | { readonly kind: "refused"; readonly holder: Reservation };

/** Grants or renews; refuses while another update holds the node. `now` is on the clock of `expires`. */
export function reserve(
  held: Reservation | null,
  wanted: { readonly update_id: string; readonly initiator: string },
  now: number,
): Grant {
  if (held !== null && held.expires > now && held.update_id !== wanted.update_id) {
    return { kind: "refused", holder: held };
  }
  const { initiator, update_id } = wanted;
  return { kind: "granted", reservation: { update_id, initiator, expires: now + RESERVATION_MS } };
}

/** What is held after an update gave it back. */
export function release(held: Reservation | null, updateId: string): Reservation | null {
  return held?.update_id === updateId ? null : held;
}
