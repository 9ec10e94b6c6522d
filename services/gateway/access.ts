/** @module Who may change something over the console's routes, and which pages may read what they answer. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import { ConsoleRefused } from "./console-errors.ts";

/** As `ConsoleConfig` has them. */
export interface Access {
  /** CONSOLE_TOKEN; null: no change needs one. */
  readonly token: string | null;
  /** ALLOWED_ORIGINS. */
  readonly allowedOrigins: readonly string[];
  /** Names by which this node's own pages are reached. */
  readonly ownHosts: readonly string[];
}

/**
 * Lets a request that changes something pass, or throws `ConsoleRefused`: 403 for a page of another origin, 401
 * without the token where there is one. Programs send no `Origin`, so only the token stops them.
 */
export function admitChange(headers: IncomingHttpHeaders, access: Access): void {
  if (headers.origin !== undefined && trustedOrigin(headers, access) === null) {
    throw new ConsoleRefused(
      403,
      "foreign_origin",
      "pages of this origin may change nothing here: add it to ALLOWED_ORIGINS if it is trusted, as that of a proxy in front of this node has to be",
    );
  }
  if (access.token !== null && !sameSecret(bearerOf(headers), access.token)) {
    throw new ConsoleRefused(
      401,
      "unauthorized",
      "changes need the header Authorization: Bearer with the node's CONSOLE_TOKEN",
      { "www-authenticate": 'Bearer realm="fleetport"' },
    );
  }
}

/** The request's origin when its pages are trusted: the node's own, or one of ALLOWED_ORIGINS; else null. */
export function trustedOrigin(
  { origin, host }: IncomingHttpHeaders,
  { allowedOrigins, ownHosts }: Pick<Access, "allowedOrigins" | "ownHosts">,
): string | null {
  if (origin === undefined || !URL.canParse(origin)) return null;
  const url = new URL(origin);
  const here = /^https?:$/.test(url.protocol) && url.host === host?.toLowerCase();
  const own = here && isOwn(url.hostname, ownHosts);
  const allowed = allowedOrigins.some((one) => URL.canParse(one) && originOf(new URL(one)) === originOf(url));
  return own || allowed ? origin : null;
}

/**
 * A stranger's page has the node's own origin once its name leads to this machine (DNS rebinding), so that a name must
 * be one that this node knows. An address of IP is nobody's to give away.
 */
function isOwn(hostname: string, ownHosts: readonly string[]): boolean {
  return isIP(hostname.replace(/^\[(.*)\]$/, "$1")) !== 0 || ownHosts.includes(hostname);
}

/** Not `URL.origin`, which is "null" for every scheme that the web does not know. */
function originOf({ protocol, host }: URL): string {
  return `${protocol}//${host}`;
}

function bearerOf({ authorization = "" }: IncomingHttpHeaders): string {
  return /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? "";
}

/** Takes as long for a wrong secret as for a nearly right one; digests have one length. */
export function sameSecret(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
