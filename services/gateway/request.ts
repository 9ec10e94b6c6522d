/** @module An HTTP request as the routes see it: path id, query, body and headers, read and decoded. */
import { isUtf8 } from "node:buffer";
import type { GatewayResponse, IncomingRequest } from "moleculer-web";
import { FleetError } from "../../lib/errors.ts";
import type { JsonObject } from "../../lib/json.ts";
import { RequestRefused } from "./http-errors.ts";
import { readJson } from "./json-body.ts";
import { parseQuery, queryOf } from "./query.ts";
import type { ApiRequest, ConsoleRoute, FleetRoute } from "./route.ts";

const WITH_BODY: ReadonlySet<string> = new Set(["POST", "PUT"]);

/** Throws what `parseQuery` and `readJson` throw, and the route's own refusal of a body that is not an object. */
export async function apiRequest(
  route: FleetRoute | ConsoleRoute,
  request: IncomingRequest,
  response: GatewayResponse,
): Promise<ApiRequest> {
  return {
    id: request.$params.params.id ?? "",
    query: parseQuery(queryOf(request.originalUrl)),
    body: WITH_BODY.has(route.method) ? asObject(await readJson(request, response), route) : {},
    header: (name) => headerText(request.headers[name]),
  };
}

/** No body at all counts as an empty object: the answer then names the fields that are missing. */
function asObject(value: unknown, route: FleetRoute | ConsoleRoute): JsonObject {
  if (value === undefined) return {};
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  if (route.half === "console") throw new RequestRefused(400, "must be a JSON object");
  throw new FleetError(route.invalid, "the body must be a JSON object");
}

/** Node reads header bytes as Latin-1; callers send UTF-8. */
function headerText(value: string | string[] | undefined): string | undefined {
  if (value === undefined) return undefined;
  const text = Array.isArray(value) ? value.join(", ") : value;
  const bytes = Buffer.from(text, "latin1");
  return isUtf8(bytes) ? bytes.toString("utf8") : text;
}
