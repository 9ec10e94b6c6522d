/** @module The node's web server: moleculer-web, with listening, refusing broken requests and closing of our own. */
import type { Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { ServiceSchema } from "moleculer";
import ApiGateway from "moleculer-web";
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

export const webServerMixin: Partial<ServiceSchema> = {
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
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(config.port, config.host, () => {
          server.off("error", reject);
          resolve();
        });
      });
    } catch (cause) {
      const error = new Error(whyNotListening(config.host, config.port, cause), { cause });
      halt(error);
      throw error;
    }
    server.on("error", (error) => this.logger.error("web server failed", { error: error.message }));
    // With port 0 the system chose one: the node tells the others in its metadata where it is.
    const { port } = server.address() as AddressInfo;
    this.broker.metadata.url = `http://${config.host}:${port}`;
    this.logger.info("web server listens", { host: config.host, port });
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

function whyNotListening(host: string, port: number, cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? cause.code : "";
  if (code === "EADDRINUSE") {
    return `Port ${port} on ${host} is in use by another program: stop it, or set PORT to a free port.`;
  }
  if (code === "EACCES") {
    return `Port ${port} on ${host} may not be opened by this user: set PORT to a port above 1023.`;
  }
  return `Cannot listen on ${host} port ${port} (${String(cause)}): check HOST and PORT.`;
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
