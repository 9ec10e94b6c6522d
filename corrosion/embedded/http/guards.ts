/** @module What every request must pass, whatever its path (contract corrosion, section 1). */

import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { text, type WholeAnswer } from "./answer.ts";

export interface Guarded {
  readonly endpointName: string | null;
  readonly bearerToken: string | null;
}

const ENDPOINT_HEADER = "x-corrosion-requested-endpoint-name";
/** The scheme in any case, spaces, then visible characters. */
const BEARER = /^bearer +([\x20-\x7e]*)$/i;

/** The answer that a request gets instead of its route's, or null when it may pass. */
export function refusal(
  headers: IncomingHttpHeaders,
  { endpointName, bearerToken }: Guarded,
): WholeAnswer | null {
  const { authorization } = headers;
  const token = authorization === undefined ? null : (BEARER.exec(authorization)?.[1] ?? null);
  if (authorization !== undefined && token === null) return text(400, "invalid HTTP header (authorization)");
  const requested = headers[ENDPOINT_HEADER];
  if (endpointName !== null && requested !== undefined && requested !== endpointName) return text(421, "");
  if (bearerToken !== null && (token === null || !same(token, bearerToken))) return text(401, "");
  return null;
}

/** Compared in the same time whatever differs. */
function same(a: string, b: string): boolean {
  const digest = (value: string) => createHash("sha256").update(value).digest();
  return timingSafeEqual(digest(a), digest(b));
}
