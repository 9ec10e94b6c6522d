/** @module A web server of the node: moleculer-web, with listening, refusing broken requests and closing of our own. */
import type { Server } from "node:http";
import { type AddressInfo, isIPv6, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import type { ServiceBroker, ServiceSchema } from "moleculer";
import ApiGateway from "moleculer-web";
import type { Config } from "../../lib/config.ts";
import type { HostPort } from "../../lib/host-port.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { rawAnswer } from "./answer.ts";
import { errorAnswer, internalError, RequestRefused } from "./http-errors.ts";

/** Longer than what load balancers keep connections open for, so that it is never the server who hangs up first. */
const KEEP_ALIVE_MS = 65_000;
/** A request must have arrived whole after this long. */
const REQUEST_TIMEOUT_MS = 60_000;

// Replaced below: moleculer-web's own start exits the process itself, its stop waits for idle connections, and
// it broadcasts to all nodes whenever a service comes or goes.
const { started: _started, stopped: _stopped, events: _events, ...moleculerWeb } = ApiGateway;

/** Settings of moleculer-web: it logs no request by itself. */
export const QUIET = {
  logRequest: null,
  logRequestParams: null,
  logResponse: null,
  logRouteRegistration: null,
};

/** Of the one moleculer-web route that holds a server's table: no middleware runs for a path that is not in it. */
export const TABLE = {
  path: "/",
  mappingPolicy: "restrict" as const,
  mergeParams: false,
  bodyParsers: false,
  logging: false,
  pathToRegexpOptions: { sensitive: true },
};

/** One of the servers that a node has. */
export interface WebServer {
  /** For the log, e.g. `web server`. */
  readonly name: string;
  /** Where it listens; port 0: the system chooses. */
  readonly address: (config: Config) => HostPort;
  /** Variables that say so, for whoever has to change them. */
  readonly variables: { readonly host: string; readonly port: string };
  /** Puts where others reach it into the node's metadata, which the other nodes get once all services have started. */
  readonly announce: (broker: ServiceBroker, address: HostPort) => void;
}

export function webServerMixin({ address, announce, name, variables }: WebServer): Partial<ServiceSchema> {
  return {
    mixins: [moleculerWeb],

    created() {
      const server: Server = this.server;
      server.keepAliveTimeout = KEEP_ALIVE_MS;
      server.requestTimeout = REQUEST_TIMEOUT_MS;
      // moleculer-web's listener ends the process when the port is in use; `started` does that with a sentence.
      server.removeAllListeners("error");
      server.on("clientError", refuseBrokenRequest);
    },

    async started() {
      const server: Server = this.server;
      const { config, halt } = runtimeOf(this.broker);
      const { host, port: wanted } = address(config);
      try {
        await new Promise<void>((resolve, reject) => {
          server.once("error", reject);
          server.listen(wanted, host, () => {
            server.off("error", reject);
            resolve();
          });
        });
      } catch (cause) {
        const error = new Error(whyNotListening({ host, port: wanted }, variables, cause), { cause });
        halt(error);
        throw error;
      }
      server.on("error", (error) => this.logger.error(`${name} failed`, { error: error.message }));
      const { port } = server.address() as AddressInfo;
      announce(this.broker, { host: reachable(host), port });
      this.logger.info(`${name} listens`, { host, port });
    },

    async stopped() {
      await this.closeServer();
    },

    methods: {
      /** Asks clients, with every answer, to connect anew elsewhere. */
      refuseKeepAlive(): void {
        const server: Server = this.server;
        server.prependListener("request", (_request, response) => response.setHeader("connection", "close"));
      },

      /** Ends idle connections, lets requests under way finish, and cuts what hangs longer than any append can. */
      async closeServer(): Promise<void> {
        const server: Server = this.server;
        if (!server.listening) return;
        await closeServer(server, runtimeOf(this.broker).config.appendTimeoutMs + 1000);
      },
    },
  };
}

async function closeServer(server: Server, patienceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection that becomes idle only after `close` would stay for the keep-alive time.
  const sweep = setInterval(() => server.closeIdleConnections(), 20);
  const patience = Promise.withResolvers<void>();
  const deadline = setTimeout(patience.resolve, patienceMs);
  await Promise.race([closed, patience.promise]);
  clearInterval(sweep);
  clearTimeout(deadline);
  server.closeAllConnections();
}

/** Where others reach a server that listens on all addresses. */
function reachable(host: string): string {
  if (host !== "::" && host !== "0.0.0.0") return host;
  const outward = Object.values(networkInterfaces())
    .flat()
    .find((found) => found && !found.internal && (isIPv6(host) || found.family === "IPv4"));
  return outward?.address ?? (isIPv6(host) ? "::1" : "127.0.0.1");
}

function whyNotListening({ host, port }: HostPort, set: WebServer["variables"], cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? cause.code : "";
  if (code === "EADDRINUSE") {
    return `Port ${port} on ${host} is in use by another program: stop it, or set ${set.port} to a free port.`;
  }
  if (code === "EACCES") {
    return `Port ${port} on ${host} may not be opened by this user: set ${set.port} to a port above 1023.`;
  }
  return `Cannot listen on ${host} port ${port} (${String(cause)}): check ${set.host} and ${set.port}.`;
}

/** Answers what is not HTTP, too large a head, or too slow, as far as anybody still listens. */
function refuseBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const [refused, reason] =
    error.code === "HPE_HEADER_OVERFLOW"
      ? [new RequestRefused(431, "the URL and headers are over 16 KiB"), "Request Header Fields Too Large"]
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? [new RequestRefused(408, "the request did not arrive in time"), "Request Timeout"]
        : [new RequestRefused(400, "this is not an HTTP request"), "Bad Request"];
  socket.end(rawAnswer(errorAnswer(refused, null) ?? internalError(null), reason));
}
