/** @module Requests to the node whose page this is: JSON in, JSON out, one kind of error, always a time limit. */
import { ApiError, errorOfAnswer } from "./api-error.ts";
import { askForToken, consoleToken } from "./token.ts";

const TIMEOUT_MS = 10_000;

export interface ApiOptions {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Sent as JSON. */
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default 10 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * What the node answers to `path`, e.g. `api<Membership>("/api/cluster/members")`. Throws `ApiError` with the
 * node's own sentence, or with code `unreachable` or `timeout`. A 401 asks the person for the token, and tries again.
 */
export async function api<T>(path: string, options: ApiOptions = {}): Promise<T> {
  for (;;) {
    const response = await request(path, options);
    const body = await bodyOf(response);
    // The node's answers are what its contracts say: the one place where the page takes their types on trust.
    if (response.ok) return body as T;
    if (response.status !== 401 || (await askForToken()) === null) throw errorOfAnswer(response.status, body);
  }
}

/** Changes something: `send("POST", "/api/agent/restart")`. Answers and throws as `api` does. */
export function send<T = unknown>(
  method: "POST" | "PUT" | "PATCH" | "DELETE",
  path: string,
  body?: object,
): Promise<T> {
  return api<T>(path, body === undefined ? { method } : { method, body });
}

async function request(path: string, options: ApiOptions): Promise<Response> {
  const { method = "GET", body, headers, timeoutMs = TIMEOUT_MS, signal } = options;
  const limit = AbortSignal.timeout(timeoutMs);
  const token = method === "GET" ? null : consoleToken();
  try {
    return await fetch(path, {
      method,
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      headers: {
        accept: "application/json",
        ...(body !== undefined && { "content-type": "application/json" }),
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
  } catch (cause) {
    throw lost(cause, { limit, timeoutMs, ...(signal && { signal }) });
  }
}

/** Null for an answer without a body, text for one that is no JSON. */
async function bodyOf(response: Response): Promise<unknown> {
  let text: string;
  try {
    text = await response.text();
  } catch {
    throw unreachable("the answer broke off");
  }
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

interface Limits {
  readonly limit: AbortSignal;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

function lost(cause: unknown, { limit, timeoutMs, signal }: Limits): unknown {
  // Whoever ended the request knows why.
  if (signal?.aborted) return cause;
  if (limit.aborted) {
    return new ApiError(`the node did not answer within ${timeoutMs / 1000} s: try again`, {
      status: 0,
      code: "timeout",
    });
  }
  return unreachable("the node cannot be reached");
}

function unreachable(what: string): ApiError {
  return new ApiError(`${what}: check that it runs, and try again`, { status: 0, code: "unreachable" });
}
