/** @module The HTTP servers: guards, routes and limits; what a route answers is written here. */

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { formatHostPort } from "../../../lib/host-port.ts";
import type { SocketAddress } from "../config.ts";
import type { Log } from "../log.ts";
import { type Answer, ClientGone, type StreamAnswer, text } from "./answer.ts";
import { QueryString, Rejected } from "./bodies.ts";
import { type Guarded, refusal } from "./guards.ts";

export interface Call {
  readonly request: IncomingMessage;
  readonly query: QueryString;
  /** What stands in the path at the place of `{…}`, decoded; empty without one. */
  readonly param: string;
  /** A signal that is aborted when the client is gone before the answer is complete, or the agent stops. */
  readonly ended: () => AbortSignal;
}

export interface Route {
  readonly method: "GET" | "POST";
  /** `/v1/x` or `/v1/x/{name}`. */
  readonly path: string;
  /** Requests that may wait for the head of their answer at the same time. */
  readonly concurrency: number;
  readonly handle: (call: Call) => Promise<Answer>;
}

export interface HttpOptions {
  readonly addrs: readonly SocketAddress[];
  readonly guarded: Guarded;
  readonly routes: readonly Route[];
  readonly log: Log;
  /** Told when a stream begins (1) and ends (-1). */
  readonly onStream: (source: StreamAnswer["source"], by: 1 | -1) => void;
}

/** An address cannot be listened on; one sentence. */
export class CannotListen extends Error {
  override name = "CannotListen";
}

export interface HttpServers {
  /** As bound: port 0 has become a number. */
  readonly addrs: readonly SocketAddress[];
  /** Ends all streams, answers what is under way, and closes; what still hangs after `limitMs` is cut off. */
  stop(limitMs: number): Promise<void>;
}

const KEEP_ALIVE_MS = 75_000;

/** Listens on all addresses. Throws `CannotListen`. */
export async function startHttp(options: HttpOptions): Promise<HttpServers> {
  const stopping = new AbortController();
  const entries = options.routes.map((route) => new Entry(route));
  const servers: Server[] = [];
  const close = () => Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  try {
    for (const addr of options.addrs) {
      const server = createServer((request, response) => {
        new Exchange(request, response, options, stopping.signal).run(entries).catch((error: unknown) => {
          response.destroy();
          if (request.errored === null) {
            options.log.error("a request failed", { path: request.url ?? "", reason: String(error) });
          }
        });
      });
      server.keepAliveTimeout = KEEP_ALIVE_MS;
      server.requestTimeout = 0;
      await listen(server, addr);
      servers.push(server);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    addrs: servers.map(boundAddress),
    stop: async (limitMs) => {
      const closed = close();
      stopping.abort();
      for (const server of servers) server.closeIdleConnections();
      const cut = setTimeout(() => {
        for (const server of servers) server.closeAllConnections();
      }, limitMs);
      await closed;
      clearTimeout(cut);
    },
  };
}

/** Throws `CannotListen`. */
export async function listen(server: Server, addr: SocketAddress): Promise<void> {
  server.listen(addr.port, addr.host);
  try {
    await once(server, "listening");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === "EADDRINUSE" ? "the port is taken" : message;
    throw new CannotListen(`The HTTP API cannot listen on ${formatHostPort(addr)}: ${reason}.`);
  }
}

function boundAddress(server: Server): SocketAddress {
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("The server does not listen.");
  return { host: address.address, port: address.port };
}

/** A route and how many requests wait in it. */
class Entry {
  readonly route: Route;
  readonly #prefix: string | null;
  waiting = 0;

  constructor(route: Route) {
    this.route = route;
    this.#prefix = route.path.includes("{") ? route.path.slice(0, route.path.indexOf("{")) : null;
  }

  /** What the path has at the parameter's place, still encoded; null: another route's path. */
  match(path: string): string | null {
    if (this.#prefix === null) return path === this.route.path ? "" : null;
    if (!path.startsWith(this.#prefix)) return null;
    const rest = path.slice(this.#prefix.length);
    return rest !== "" && !rest.includes("/") ? rest : null;
  }
}

/** One request and its answer. */
class Exchange {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #options: HttpOptions;
  readonly #stopping: AbortSignal;
  #gone = false;
  #signal: AbortSignal | null = null;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    options: HttpOptions,
    stopping: AbortSignal,
  ) {
    this.#request = request;
    this.#response = response;
    this.#options = options;
    this.#stopping = stopping;
    const gone = () => {
      this.#gone = true;
    };
    response.once("close", gone);
    response.on("error", gone);
  }

  /** Made when it is asked for: most requests are over before they need one. */
  #ended(): AbortSignal {
    if (this.#signal !== null) return this.#signal;
    const controller = new AbortController();
    const response = this.#response;
    if (this.#gone) controller.abort();
    for (const event of ["close", "error"]) response.once(event, () => controller.abort());
    this.#signal = AbortSignal.any([controller.signal, this.#stopping]);
    return this.#signal;
  }

  async run(entries: readonly Entry[]): Promise<void> {
    const answer = await this.#answer(entries);
    if (this.#response.destroyed) return;
    if (answer.kind === "stream") return this.#stream(answer);
    // A body that nobody read would be taken for the next request's head.
    if (!this.#request.complete) this.#request.resume();
    this.#response.writeHead(answer.status, {
      ...answer.headers,
      "content-length": Buffer.byteLength(answer.body),
    });
    this.#response.end(answer.body);
  }

  async #answer(entries: readonly Entry[]): Promise<Answer> {
    const refused = refusal(this.#request.headers, this.#options.guarded);
    if (refused !== null) return refused;
    const url = this.#request.url ?? "/";
    const mark = url.indexOf("?");
    const path = mark < 0 ? url : url.slice(0, mark);
    const candidates = entries.flatMap((entry) => {
      const param = entry.match(path);
      return param === null ? [] : [{ entry, param }];
    });
    if (candidates.length === 0) return text(404, "");
    const method = this.#request.method === "HEAD" ? "GET" : this.#request.method;
    const found = candidates.find(({ entry }) => entry.route.method === method);
    if (found === undefined) return wrongMethod(candidates.map(({ entry }) => entry.route.method));
    const { entry, param } = found;
    if (entry.waiting >= entry.route.concurrency) return text(503, "max concurrency limit reached");
    entry.waiting++;
    try {
      return await entry.route.handle({
        request: this.#request,
        query: new QueryString(new URLSearchParams(mark < 0 ? "" : url.slice(mark + 1))),
        param: decoded(param),
        ended: () => this.#ended(),
      });
    } catch (error) {
      if (error instanceof Rejected) return error.answer;
      throw error;
    } finally {
      entry.waiting--;
    }
  }

  async #stream({ headers, send, source }: StreamAnswer): Promise<void> {
    this.#response.writeHead(200, headers);
    this.#response.flushHeaders();
    if (this.#request.method === "HEAD") {
      this.#response.end();
      return;
    }
    this.#options.onStream(source, 1);
    try {
      await send({ write: (bytes) => this.#write(bytes), signal: this.#ended() });
      this.#response.end();
    } catch (error) {
      this.#response.destroy();
      if (!(error instanceof ClientGone)) throw error;
    } finally {
      this.#options.onStream(source, -1);
    }
  }

  async #write(bytes: string | Uint8Array): Promise<void> {
    const response = this.#response;
    if (this.#gone) throw new ClientGone("The client has gone.");
    if (response.write(bytes)) return;
    await new Promise<void>((resolve, reject) => {
      const settle = () => {
        for (const event of ["drain", "close", "error"]) response.off(event, settle);
        if (this.#gone) reject(new ClientGone("The client has gone."));
        else resolve();
      };
      for (const event of ["drain", "close", "error"]) response.once(event, settle);
    });
  }
}

function wrongMethod(methods: readonly string[]): Answer {
  const allow = methods.map((method) => (method === "GET" ? "GET,HEAD" : method)).join(",");
  return { kind: "whole", status: 405, headers: { allow }, body: "" };
}

/** Throws `Rejected`. */
function decoded(param: string): string {
  try {
    return decodeURIComponent(param);
  } catch {
    throw new Rejected(text(400, "Invalid URL: Invalid UTF-8 in a path parameter"));
  }
}
