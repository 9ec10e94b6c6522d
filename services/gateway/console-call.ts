/** @module A call of the console: to this very node's actors, never to those of another one. */
import { Readable } from "node:stream";
import { type Context, Errors } from "moleculer";
import type { IncomingRequest } from "moleculer-web";
import { isoMicros, systemClock } from "../../lib/clock.ts";
import type { JsonObject } from "../../lib/json.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { trustedOrigin } from "./access.ts";
import type { Answer } from "./answer.ts";
import { ConsoleRefused } from "./console-errors.ts";
import type { ConsoleRoute } from "./route.ts";

/** Longer than any action takes by its own rules: only one that hangs is cut. */
const CALL_TIMEOUT_MS = 30_000;
const OFF =
  "this node runs without Corrosion (CORROSION_MODE=off), and this needs it; nothing was done: start it with another mode";

/**
 * Calls the route's action on this node and returns its answer. Rejects with the action's own error, and where there
 * is no such action because the node was started without Corrosion, with a refusal that says so.
 */
export async function callHere(
  ctx: Context,
  route: ConsoleRoute,
  params: JsonObject,
  request: IncomingRequest,
): Promise<Answer> {
  const { broker } = ctx;
  const options = { nodeID: broker.nodeID, timeout: CALL_TIMEOUT_MS };
  const { console } = runtimeOf(broker).config;
  const call = (action: string, given: JsonObject) =>
    ctx.call<unknown, JsonObject>(action, given, options).catch((error: unknown) => {
      const off = console.agent.mode === "off" && error instanceof Errors.ServiceNotFoundError;
      throw off ? new ConsoleRefused(503, "service_unavailable", OFF) : error;
    });
  const done = call(route.action, params);
  if (route.meanwhile !== null) {
    // Whoever asks for the state sees there that it failed.
    done.catch((error: unknown) => {
      broker.logger.info("a refresh failed", { action: route.action, error: String(error) });
    });
  }
  const result = route.meanwhile === null ? await done : await call(route.meanwhile, {});
  const timestamp = isoMicros(systemClock());
  const { body, ...answer } = route.answer(result, timestamp);
  return {
    ...answer,
    body:
      typeof body === "string" || body instanceof Readable
        ? body
        : { node_id: broker.nodeID, timestamp, ...body },
    readableBy: trustedOrigin(request.headers, console),
  };
}
