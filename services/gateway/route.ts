/** @module What a route of the HTTP API is: a row of a table that names an action, what it gets, and how it answers. */
import type { Readable } from "node:stream";

import type { Timestamp } from "../../lib/clock.ts";
import type { ErrorCode } from "../../lib/errors.ts";
import type { JsonObject } from "../../lib/json.ts";
import type { Answer } from "./answer.ts";
import type { Query } from "./query.ts";

export interface ApiRequest {
  /** The `:id` of the path; empty for routes without one. */
  readonly id: string;
  readonly query: Query;
  /** Empty for routes that take none. */
  readonly body: JsonObject;
  readonly header: (name: string) => string | undefined;
}

interface RouteBase {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** With `:id` where an id stands. */
  readonly path: string;
  /** Whether it changes something, so that a lost answer leaves the outcome open. */
  readonly writes: boolean;
  /** Whether a call counts for the rate limit: not what machines ask to see whether all is well. */
  readonly limited: boolean;
}

/** Asks the fleet: any node may answer. */
export interface FleetRoute extends RouteBase {
  readonly half: "fleet";
  readonly action: string;
  /** What a refused shape is called here. */
  readonly invalid: ErrorCode;
  /** The action's params. The action checks types and ranges; what a caller sent is never dropped on the way. */
  readonly params: (request: ApiRequest) => JsonObject;
  readonly answer: (result: unknown) => Answer;
}

/** Asks this very node's actors, as all of the console's pages do (contract corroport, section 2). */
export interface ConsoleRoute extends RouteBase {
  readonly half: "console";
  readonly action: string;
  /** The action whose result is answered at once while `action` goes on; null: the answer is `action`'s own. */
  readonly meanwhile: string | null;
  readonly params: (request: ApiRequest) => JsonObject;
  /** Whether its failures read `{error}` alone (contract corroport, section 6). Default: they do not. */
  readonly plainErrors?: boolean;
  readonly answer: (result: unknown, now: Timestamp) => ConsoleAnswer;
}

/** What a console route answers. To an object the gateway adds `node_id` and `timestamp`; a text or a stream goes out as it is. */
export interface ConsoleAnswer {
  readonly status: number;
  readonly body: object | string | Readable;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Server-sent events of this node. */
export interface StreamRoute extends RouteBase {
  readonly half: "stream";
}

export type Route = FleetRoute | ConsoleRoute | StreamRoute;

/** The named own fields of a body, null ones included, so that the action can refuse what is wrong. */
export function pick(body: JsonObject, names: readonly string[]): JsonObject {
  const picked: Record<string, unknown> = {};
  for (const name of names) if (Object.hasOwn(body, name)) picked[name] = body[name];
  return picked;
}

/** Without the parameters that were absent. */
export function defined(params: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined));
}
