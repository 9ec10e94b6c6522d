/** @module The HTTP gateway of a node: the API, health, metrics and the status page. It knows only actions. */
import type { ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { type Context, Errors, type ServiceSchema } from "moleculer";
import ApiGateway, {
  type ApiSettingsSchema,
  type GatewayResponse,
  type IncomingRequest,
} from "moleculer-web";
import { redisOf } from "../../lib/cacher.ts";
import { counter } from "../../lib/metrics.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { PAGE_HEADERS, preflight, send } from "./answer.ts";
import { errorAnswer, INTERNAL_ERROR, RequestRefused } from "./http-errors.ts";
import { RateLimit } from "./rate-limit.ts";
import { apiRequest } from "./request.ts";
import { ROUTES } from "./routes.ts";
import { socketsMixin } from "./sockets.mixin.ts";
import { webServerMixin } from "./web-server.mixin.ts";

const PUBLIC_FOLDER = fileURLToPath(new URL("../../public", import.meta.url));
const READY_TIMEOUT_MS = 2000;

const routeOfAction = new Map(ROUTES.map((route) => [route.action, route]));
const routeOf = (request: IncomingRequest) => routeOfAction.get(request.$alias?.action) ?? null;

/** All routes are one moleculer-web route: no middleware runs for a path that is not in the table. */
const api = {
  path: "/",
  mappingPolicy: "restrict" as const,
  mergeParams: false,
  bodyParsers: false,
  logging: false,
  pathToRegexpOptions: { sensitive: true },
  aliases: Object.fromEntries(ROUTES.map(({ method, path, action }) => [`${method} ${path}`, action])),

  async onBeforeCall(
    this: { readonly rateLimit: RateLimit | null },
    _ctx: Context,
    _route: unknown,
    request: IncomingRequest,
    response: GatewayResponse,
  ): Promise<void> {
    const route = routeOf(request);
    if (route?.limited) await this.rateLimit?.take(request);
    if (route) request.$params = route.params(await apiRequest(route, request, response));
  },
};

interface Methods {
  errorHandler(request: IncomingRequest, response: GatewayResponse, error: unknown): void;
}

const gateway: ServiceSchema<ApiSettingsSchema, Methods> = {
  name: "gateway",
  // In this order: sockets need the server that the second one makes, and close before it does.
  mixins: [socketsMixin, webServerMixin],

  settings: {
    // What other nodes have no use for stays out of the registry.
    $secureSettings: ["routes", "assets"],
    logRequest: null,
    logRequestParams: null,
    logResponse: null,
    logRouteRegistration: null,
    routes: [api],
    assets: {
      folder: PUBLIC_FOLDER,
      options: {
        redirect: false,
        setHeaders(response: ServerResponse) {
          for (const [name, value] of Object.entries(PAGE_HEADERS)) response.setHeader(name, value);
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

    /** Closes sockets over `spread_ms`, then lets the last requests finish and listens no more. For this node. */
    close: {
      visibility: "protected",
      params: { spread_ms: "number" },
      async handler(ctx: Context<{ spread_ms: number }>): Promise<void> {
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
      if (request.method === "OPTIONS") send(response, preflight(request));
      else await ApiGateway.methods?.httpHandler?.call(this, request, response);
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
      if (!route) throw new Error(`there is no route for ${request.method} ${request.parsedUrl}`);
      send(response, route.answer(result));
    },

    send404(request: IncomingRequest, response: GatewayResponse): void {
      this.errorHandler(request, response, new RequestRefused(404, "there is nothing at this path"));
    },

    errorHandler(request: IncomingRequest, response: GatewayResponse, error: unknown): void {
      const answer = errorAnswer(error, routeOf(request));
      if (!answer) {
        const { method, parsedUrl: path } = request;
        this.logger.error("request failed", { method, path, error: inspect(error) });
      }
      send(response, answer ?? INTERNAL_ERROR);
    },
  },
};

export default gateway;
