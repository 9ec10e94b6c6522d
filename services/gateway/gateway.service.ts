/** @module The HTTP gateway of a node: the API, health, metrics and the dashboard. It knows only actions. */
import type { ServerResponse } from "node:http";
import { inspect } from "node:util";
import { type Context, Errors, type ServiceBroker, type ServiceSchema } from "moleculer";
import ApiGateway, {
  type ApiSettingsSchema,
  type GatewayResponse,
  type IncomingRequest,
} from "moleculer-web";
import { redisOf } from "../../lib/cacher.ts";
import { formatHostPort } from "../../lib/host-port.ts";
import { counter } from "../../lib/metrics.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { admitChange, trustedOrigin } from "./access.ts";
import { preflight, send } from "./answer.ts";
import { compressedPaths, formOf } from "./compressed-files.ts";
import { callHere } from "./console-call.ts";
import { eventStreamMixin } from "./event-stream.mixin.ts";
import { errorAnswer, internalError, NOT_FOUND, RequestRefused } from "./http-errors.ts";
import { DASHBOARD_FOLDER, fileHeaders, fileOf } from "./pages.ts";
import { RateLimit } from "./rate-limit.ts";
import { apiRequest } from "./request.ts";
import type { Route } from "./route.ts";
import { ROUTES } from "./routes.ts";
import { socketsMixin } from "./sockets.mixin.ts";
import { QUIET, TABLE, webServerMixin } from "./web-server.mixin.ts";

const READY_TIMEOUT_MS = 2000;

const targetOf = ({ method, path }: { method: string; path: string }) => `${method} ${path}`;
const routes = new Map(ROUTES.map((route) => [targetOf(route), route]));

/** moleculer-web drops the first slash of an alias's path. */
function routeOf({ $alias: alias }: IncomingRequest): Route | null {
  return alias ? (routes.get(`${alias.method} /${alias.path}`) ?? null) : null;
}

/** moleculer-web calls the fleet's actions itself, on any node. The rest is answered by this one. */
function aliasOf(route: Route) {
  if (route.half === "fleet") return route.action;
  return function here(
    this: { answerHere(request: IncomingRequest, response: GatewayResponse): Promise<void> },
    request: IncomingRequest,
    response: GatewayResponse,
    next: (error: unknown) => void,
  ): void {
    this.answerHere(request, response).catch(next);
  };
}

const api = {
  ...TABLE,
  aliases: Object.fromEntries(ROUTES.map((route) => [targetOf(route), aliasOf(route)])),

  async onBeforeCall(
    this: { readonly rateLimit: RateLimit | null; readonly broker: ServiceBroker },
    _ctx: Context,
    _route: unknown,
    request: IncomingRequest,
    response: GatewayResponse,
  ): Promise<void> {
    const route = routeOf(request);
    if (route === null) return;
    if (route.limited) await this.rateLimit?.take(request);
    if (route.half === "stream") return;
    if (route.half === "console" && route.writes) {
      admitChange(request.headers, runtimeOf(this.broker).config.console);
    }
    request.$params = route.params(await apiRequest(route, request, response));
  },
};

interface Methods {
  errorHandler(request: IncomingRequest, response: GatewayResponse, error: unknown): void;
  answerHere(request: IncomingRequest, response: GatewayResponse): Promise<void>;
}

const gateway: ServiceSchema<ApiSettingsSchema, Methods> = {
  name: "gateway",
  // In this order: sockets need the server that the last one makes; they and the streams end before it does.
  mixins: [
    socketsMixin,
    eventStreamMixin,
    webServerMixin({
      name: "web server",
      address: ({ host, port }) => ({ host, port }),
      variables: { host: "HOST", port: "PORT" },
      announce(broker, address) {
        broker.metadata.url = `http://${formatHostPort(address)}`;
      },
    }),
  ],

  settings: {
    // What other nodes have no use for stays out of the registry.
    $secureSettings: ["routes", "assets"],
    ...QUIET,
    routes: [api],
    assets: {
      folder: DASHBOARD_FOLDER,
      options: {
        redirect: false,
        setHeaders(response: ServerResponse, file: string) {
          for (const [name, value] of Object.entries(fileHeaders(file))) response.setHeader(name, value);
        },
      },
    },
  },

  actions: {
    // moleculer-web offers these to the whole bus; nobody changes routes from afar.
    listAliases: false,
    addRoute: false,
    removeRoute: false,

    /** From now on every answer asks its client to connect anew, elsewhere. For this node. */
    leave: {
      visibility: "protected",
      params: {},
      handler(): void {
        this.refuseKeepAlive();
      },
    },

    /** Ends event streams, closes sockets over `spread_ms`, then lets the last requests finish and listens no more. For this node. */
    close: {
      visibility: "protected",
      params: { spread_ms: "number" },
      async handler(ctx: Context<{ spread_ms: number }>): Promise<void> {
        this.endStreams();
        await this.drainSockets(ctx.params.spread_ms);
        await this.closeServer();
      },
    },

    live: {
      handler: () => ({ status: "ok" }),
    },

    /** Readiness is a node's own, so it is never asked of another one. */
    ready: {
      async handler(ctx) {
        try {
          const options = { nodeID: this.broker.nodeID, timeout: READY_TIMEOUT_MS };
          return await ctx.call("fleet.ops.ready", {}, options);
        } catch (error) {
          const absent =
            error instanceof Errors.ServiceNotFoundError || error instanceof Errors.ServiceNotAvailableError;
          if (!absent) throw error;
          return { status: "starting", reason: "groups_recovering" };
        }
      },
    },

    metrics: {
      async handler() {
        const { metrics } = runtimeOf(this.broker);
        return { text: await metrics.metrics(), type: metrics.contentType };
      },
    },
  },

  created() {
    const { config, metrics } = runtimeOf(this.broker);
    this.compressed = compressedPaths(this.settings.assets?.folder ?? DASHBOARD_FOLDER);
    const refused = counter(metrics, {
      name: "rate_limited_total",
      help: "Requests refused by the rate limit",
    });
    this.rateLimit =
      config.rateLimit === 0
        ? null
        : new RateLimit({
            requestsPerMinute: config.rateLimit,
            redis: redisOf(this.broker),
            namespace: this.broker.namespace,
            refused,
          });
  },

  methods: {
    async httpHandler(request: IncomingRequest, response: GatewayResponse): Promise<void> {
      if (request.method === "OPTIONS") {
        send(response, preflight(request));
        return;
      }
      request.url = formOf(fileOf(request.url ?? "/"), request.headers["accept-encoding"], this.compressed);
      await ApiGateway.methods?.httpHandler?.call(this, request, response);
    },

    /** Only splits: each route reads its own parameters, strictly (`query.ts`). */
    parseQueryString(request: IncomingRequest) {
      const url = request.url ?? "";
      const mark = url.indexOf("?");
      return { url: mark < 0 ? url : url.slice(0, mark), query: {} };
    },

    /** HEAD is what GET would answer, without the body. */
    resolveAlias(url: string, method: string) {
      return ApiGateway.methods?.resolveAlias?.call(this, url, method === "HEAD" ? "GET" : method);
    },

    sendResponse(request: IncomingRequest, response: GatewayResponse, result: unknown): void {
      const route = routeOf(request);
      if (route?.half !== "fleet")
        throw new Error(`there is no route for ${request.method} ${request.parsedUrl}`);
      send(response, route.answer(result));
    },

    async answerHere(request: IncomingRequest, response: GatewayResponse): Promise<void> {
      const route = routeOf(request);
      if (route?.half === "stream") this.openStream(request, response);
      if (route?.half !== "console") return;
      send(response, await callHere(request.$ctx, route, request.$params, request));
    },

    send404(request: IncomingRequest, response: GatewayResponse): void {
      this.errorHandler(request, response, new RequestRefused(404, NOT_FOUND));
    },

    errorHandler(request: IncomingRequest, response: GatewayResponse, error: unknown): void {
      const route = routeOf(request);
      const answer = errorAnswer(error, route);
      if (!answer) {
        const { method, parsedUrl: path } = request;
        this.logger.error("request failed", { method, path, error: inspect(error) });
      }
      send(response, { ...(answer ?? internalError(route)), ...readers(route, request, this.broker) });
    },
  },
};

/** Any page may read what the fleet answers, and only trusted ones what the console does. */
function readers(route: Route | null, { headers }: IncomingRequest, broker: ServiceBroker) {
  if (route === null || route.half === "fleet") return {};
  return { readableBy: trustedOrigin(headers, runtimeOf(broker).config.console) };
}

export default gateway;
