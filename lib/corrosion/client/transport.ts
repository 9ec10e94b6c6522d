/** @module One HTTP request to an agent on a connection of its own, which ends with it. */
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import { countConnection } from "./connections.ts";
import { AgentError } from "./errors.ts";

export interface TransportOptions {
  /** Base URL of the agent's API. */
  readonly url: string;
  /** Its bearer token; null: it wants none. */
  readonly token: string | null;
  /** The agent's `api.endpoint_name`: another agent then answers 421. */
  readonly endpointName?: string;
  readonly connectTimeoutMs: number;
}

export interface AgentRequest {
  readonly method: "GET" | "POST";
  /** With its query string. */
  readonly path: string;
  readonly body?: string;
  /** Ends the request, and the answer while it is read. */
  readonly signal: AbortSignal;
  /** Called once the agent may have begun to work. */
  readonly onSent?: () => void;
}

const MAX_BODY_BYTES = 64 * 1024 * 1024;

export class Transport {
  /** Host and port, for messages: never with credentials. */
  readonly agent: string;
  readonly #base: URL;
  readonly #options: TransportOptions;

  /** Throws when the URL is none. */
  constructor(options: TransportOptions) {
    this.#options = options;
    this.#base = new URL(options.url);
    this.agent = this.#base.host;
  }

  /**
   * The answer once its head is here, whatever its status; its body must be read or destroyed. Throws `AgentError`
   * (`unreachable`, `timeout`) and the signal's reason.
   */
  async send(request: AgentRequest): Promise<IncomingMessage> {
    request.signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const { protocol, hostname, port, pathname } = this.#base;
    const outgoing = (protocol === "https:" ? httpsRequest : httpRequest)({
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port,
      path: `${pathname.replace(/\/$/, "")}${request.path}`,
      method: request.method,
      headers: this.#headers(request.body),
      // No connection is kept: one that was idle while the agent restarted would fail the next request.
      agent: false,
      signal: request.signal,
    });
    outgoing.once("response", resolve);
    outgoing.on("error", (error) => reject(this.#failure(error, request.signal)));
    outgoing.once("socket", (socket) => {
      countConnection(this.agent, socket);
      this.#watchConnect(socket, (error) => outgoing.destroy(error), request);
    });
    outgoing.end(request.body);
    return promise;
  }

  /** The body's chunks. A loop that is left ends the connection. Throws as `send` does. */
  async *chunks(answer: IncomingMessage, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    try {
      for await (const chunk of answer) yield chunk as Uint8Array;
    } catch (error) {
      throw this.#failure(error, signal);
    }
  }

  /** The whole body as text. Throws as `send` does, and `protocol` when it is larger than any answer. */
  async text(answer: IncomingMessage, signal: AbortSignal): Promise<string> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of this.chunks(answer, signal)) {
      bytes += chunk.length;
      if (bytes > MAX_BODY_BYTES) {
        throw new AgentError("protocol", `the agent at ${this.agent} sends an answer without end`);
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf8");
  }

  #headers(body: string | undefined): Record<string, string | number> {
    const { token, endpointName } = this.#options;
    return {
      ...(body === undefined
        ? {}
        : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(endpointName === undefined ? {} : { "x-corrosion-requested-endpoint-name": endpointName }),
    };
  }

  #watchConnect(socket: Socket, destroy: (error: Error) => void, { onSent }: AgentRequest): void {
    const { connectTimeoutMs } = this.#options;
    const timer = setTimeout(() => {
      destroy(
        new AgentError(
          "unreachable",
          `the agent at ${this.agent} did not take a connection within ${connectTimeoutMs} ms`,
        ),
      );
    }, connectTimeoutMs);
    socket.once("connect", () => {
      clearTimeout(timer);
      onSent?.();
    });
    socket.once("close", () => clearTimeout(timer));
  }

  #failure(error: unknown, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason;
    if (error instanceof AgentError) return error;
    const code = (error as NodeJS.ErrnoException).code ?? "no code";
    const message =
      code === "ECONNREFUSED"
        ? `nothing listens at ${this.agent}: the agent does not run, or has another address`
        : `the connection to the agent at ${this.agent} was lost or not made (${code})`;
    return new AgentError("unreachable", message, { cause: error });
  }
}
