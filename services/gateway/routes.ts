/** @module Every route of a node's HTTP API. */
import type { Route } from "./route.ts";
import { ANALYTICS_ROUTES } from "./routes/analytics.ts";
import { CONSOLE_ROUTES } from "./routes/console.ts";
import { FLEET_ROUTES } from "./routes/fleet.ts";

/** Events of this node as a stream; it calls no action. */
const STREAM: Route = { half: "stream", method: "GET", path: "/api/stream", writes: false, limited: true };

export const ROUTES: readonly Route[] = [...FLEET_ROUTES, ...CONSOLE_ROUTES, ...ANALYTICS_ROUTES, STREAM];
