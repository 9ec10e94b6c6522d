/** @module What `NATS_URL` says: the servers' addresses, and with which name and password or token they are entered. */
import { ErrorCode, NatsError } from "nats";

/** Options of a nats.js connection, which takes no credentials from an address. */
export interface NatsAccess {
  /** `nats://host:port` each, without credentials: fit to be shown. */
  readonly servers: string[];
  readonly user?: string;
  readonly pass?: string;
  readonly token?: string;
}

/** `NATS_URL` cannot be used; the message is a sentence for each thing that is wrong, and holds no credentials. */
export class InvalidNatsUrl extends Error {
  override name = "InvalidNatsUrl";
}

type Credentials = Omit<NatsAccess, "servers">;

const SERVER = /^(nats|tls):\/\/(?:([^\s/@]*)@)?([^\s/@?#]+)$/;
const SHAPE =
  "NATS_URL must be nats://host:port, nats://user:password@host:port or nats://token@host:port (several with commas between)";

/**
 * Reads addresses that are separated by commas. Credentials, with %-codes where they hold special characters, stand
 * on each of them or only on the first. Throws `InvalidNatsUrl`.
 */
export function readNatsUrl(url: string): NatsAccess {
  const problems = new Set<string>();
  // An `@` anywhere means that any part may be a piece of a password: none of them is repeated.
  const secret = url.includes("@");
  const servers: string[] = [];
  const found: (Credentials | null)[] = [];
  for (const part of url.split(",").map((text) => text.trim())) {
    const [, scheme, before, host] = SERVER.exec(part) ?? [];
    const credentials = before === undefined ? null : readCredentials(before);
    if (host === undefined || !URL.canParse(`${scheme}://${host}`) || credentials === "unreadable") {
      problems.add(
        secret
          ? `${SHAPE}, with %-codes for characters like / ? # @ : , % in a name, password or token.`
          : `${SHAPE}, and has "${part}".`,
      );
      continue;
    }
    servers.push(`${scheme}://${host}`);
    found.push(credentials);
  }
  const first = found[0] ?? null;
  if (problems.size === 0 && found.some((other) => other !== null && !isSame(other, first))) {
    problems.add(
      "NATS_URL has other credentials for one server than for the first: a node enters all of them with the same, on each address or on the first alone.",
    );
  }
  if (problems.size > 0) throw new InvalidNatsUrl([...problems].join("\n"));
  return { servers, ...first };
}

function readCredentials(text: string): Credentials | "unreadable" {
  const colon = text.indexOf(":");
  try {
    if (colon < 0) return text === "" ? "unreadable" : { token: decodeURIComponent(text) };
    const user = decodeURIComponent(text.slice(0, colon));
    const pass = decodeURIComponent(text.slice(colon + 1));
    return user === "" || pass === "" ? "unreadable" : { user, pass };
  } catch {
    return "unreadable"; // a % that begins no code
  }
}

function isSame(a: Credentials, b: Credentials | null): boolean {
  return a.user === b?.user && a.pass === b?.pass && a.token === b?.token;
}

/** Whether the server refused who asked, rather than not having answered. */
export function isRefusal(error: unknown): boolean {
  return error instanceof NatsError && REFUSALS.includes(error.code);
}

const REFUSALS: readonly string[] = [
  ErrorCode.AuthorizationViolation,
  ErrorCode.AuthenticationExpired,
  ErrorCode.AuthenticationTimeout,
  ErrorCode.AccountExpired,
];

/** Why a first connection failed and what to do about it, in a sentence. */
export function connectProblem({ servers, user, token }: NatsAccess, error: Error): string {
  const where = servers.join(",");
  if (!isRefusal(error)) {
    return `NATS cannot be reached at ${where} (${error.message}): start it, or correct NATS_URL.`;
  }
  if (user !== undefined) {
    return `NATS at ${where} refuses the user name or the password in NATS_URL: correct them.`;
  }
  if (token !== undefined) return `NATS at ${where} refuses the token in NATS_URL: correct it.`;
  return `NATS at ${where} wants to know who connects: put what it asks for into NATS_URL, as in nats://user:password@host:port or nats://token@host:port.`;
}
