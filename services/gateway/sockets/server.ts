/** @module The socket server of a node: upgrades, who is connected, silence, and the end. */
import { type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { RETRY_AFTER_MS } from "../../../lib/errors.ts";
import { isCallerId } from "../../../lib/ids.ts";
import { type Answer, rawAnswer } from "../answer.ts";
import { errorAnswer, internalError } from "../http-errors.ts";
import { CLOSE, Connection, type ConnectionServices } from "./connection.ts";
import type { Principal } from "./session-channel.ts";

/** Where the official client connects when it is given `/socket`. */
const PATH = "/socket/websocket";
const VSN = "2.0.0";

/** Larger frames close the socket with 1009. */
const MAX_FRAME_BYTES = 1024 * 1024;

/** How long a client has to finish the closing handshake, in milliseconds. */
const CLOSE_TIMEOUT_MS = 10_000;
/** How long a client may take when the node stops, its last sends included. */
const STOP_TIMEOUT_MS = 3000;

const HANDSHAKE_OPTIONS = {
  noServer: true,
  clientTracking: false,
  maxPayload: MAX_FRAME_BYTES,
  // Text that is not UTF-8 is a bad frame like any other: the codec looks at it.
  skipUTF8Validation: true,
  closeTimeout: CLOSE_TIMEOUT_MS,
};

export interface SocketServerOptions {
  readonly server: Server;
  readonly services: ConnectionServices;
  /** A client that is not heard of for so many milliseconds is gone. */
  readonly silenceMs: number;
  /** Judges a request for a socket; throws an error of ours to refuse it, or returns nothing at once to let it pass. */
  readonly admit: (request: IncomingMessage) => Promise<void> | undefined;
}

export class SocketServer {
  readonly #server: Server;
  readonly #services: ConnectionServices;
  readonly #connections = new Set<Connection>();
  readonly #admit: SocketServerOptions["admit"];
  readonly #timer: NodeJS.Timeout;
  readonly #handshakes = new WebSocketServer(HANDSHAKE_OPTIONS);
  #stopped: Promise<void> | null = null;
  #emptied: (() => void) | null = null;

  constructor({ server, services, silenceMs, admit }: SocketServerOptions) {
    this.#server = server;
    this.#services = services;
    this.#admit = admit;
    this.#timer = setInterval(() => this.#closeSilent(silenceMs), Math.max(silenceMs / 10, 10));
    // With a listener Node takes every `Upgrade` header for this one's; Java's client sends `h2c` with each request.
    Object.assign(server, { shouldUpgradeCallback: wantsWebSocket });
    server.on("upgrade", this.#upgrade);
  }

  /**
   * Tells every channel, closes every socket with 1012 spread over `spreadMs`, and resolves when all are gone.
   * No socket is opened any more. A second call waits for the end of the first.
   */
  stop(spreadMs: number): Promise<void> {
    this.#stopped ??= this.#stop(spreadMs);
    return this.#stopped;
  }

  async #stop(spreadMs: number): Promise<void> {
    const draining = JSON.stringify({ reason: "session_draining", retry_after_ms: RETRY_AFTER_MS });
    const connections = [...this.#connections];
    const timers = connections.map((connection, index) => {
      connection.broadcast("backpressure", draining);
      const close = () => {
        void connection.retire(CLOSE.draining, "the node stops");
      };
      if (spreadMs > 0) return setTimeout(close, (spreadMs * index) / connections.length);
      close();
      return null;
    });
    const overdue = setTimeout(() => {
      for (const connection of this.#connections) connection.terminate();
    }, spreadMs + STOP_TIMEOUT_MS);
    if (this.#connections.size > 0) await new Promise<void>((resolve) => (this.#emptied = resolve));
    for (const timer of timers) if (timer) clearTimeout(timer);
    clearTimeout(overdue);
    clearInterval(this.#timer);
    this.#server.off("upgrade", this.#upgrade);
    this.#handshakes.close();
  }

  readonly #upgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    const { path, query } = splitUrl(request.url ?? "");
    if (path !== PATH) return refuseUpgrade(stream, 404);
    if (this.#stopped) return refuseUpgrade(stream, 503);
    const principal = principalOf(query);
    if (query.get("vsn") !== VSN || !principal) return refuseUpgrade(stream, 403);
    const open = () => this.#open(request, stream, head, principal);
    const admitted = this.#admit(request);
    if (!admitted) return open();
    // Until somebody else takes the stream, its errors must have a listener.
    const gone = () => stream.destroy();
    stream.on("error", gone);
    admitted
      .then(
        () => (this.#stopped ? refuseUpgrade(stream, 503) : open()),
        (error: unknown) => answerUpgrade(stream, errorAnswer(error, null) ?? internalError(null)),
      )
      .finally(() => stream.off("error", gone));
  };

  #open(request: IncomingMessage, stream: Duplex, head: Buffer, principal: Principal): void {
    this.#handshakes.handleUpgrade(request, stream, head, (ws) => {
      const connection = new Connection(ws, stream, principal, this.#services);
      this.#connections.add(connection);
      ws.on("close", () => {
        this.#connections.delete(connection);
        if (this.#connections.size === 0) this.#emptied?.();
      });
    });
  }

  #closeSilent(silenceMs: number): void {
    const since = Date.now() - silenceMs;
    for (const connection of this.#connections) {
      if (connection.heardAt < since) connection.close(CLOSE.silence, "silent for too long");
    }
  }
}

function wantsWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket";
}

/** Splits a request's target without judging it: `URL` would refuse some that clients may send. */
function splitUrl(target: string): { path: string; query: URLSearchParams } {
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  return { path, query: new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1)) };
}

/** Who the socket speaks for: `user_id`, else `agent_id`; null when that is missing or cannot be an id. */
function principalOf(query: URLSearchParams): Principal | null {
  const user = query.get("user_id");
  if (user) return isCallerId(user) ? { user_id: user } : null;
  const agent = query.get("agent_id");
  return agent && isCallerId(agent) ? { agent_id: agent } : null;
}

function refuseUpgrade(stream: Duplex, status: number): void {
  endUpgrade(
    stream,
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
  );
}

function answerUpgrade(stream: Duplex, answer: Answer): void {
  endUpgrade(stream, rawAnswer(answer, STATUS_CODES[answer.status] ?? ""));
}

function endUpgrade(stream: Duplex, text: string): void {
  // The client may be gone already; there is nobody left to tell.
  stream.on("error", () => stream.destroy());
  stream.once("finish", () => stream.destroy());
  stream.end(text);
}
