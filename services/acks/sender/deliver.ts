/** @module One acknowledgement over HTTP: bounded in time and size, and never led elsewhere by an answer. */
import { Agent, type ClientRequest, type IncomingMessage, type RequestOptions, request } from "node:http";
import type { HostPort } from "../../../lib/host-port.ts";
import type { Transport } from "../contract.ts";
import type { Answer } from "./delivery-plan.ts";

/** Durations in milliseconds. */
export interface DeliveryTimes {
  readonly connectMs: number;
  /** From the connection to the end of the answer. */
  readonly responseMs: number;
}

export const DELIVERY_TIMES: DeliveryTimes = { connectMs: 2000, responseMs: 5000 };

export interface AckBody {
  readonly pk: string;
  readonly ack_node_id: string;
  readonly receipt_timestamp: string;
  /** Of the acknowledgement itself. */
  readonly timestamp: string;
}

const PATHS: Readonly<Record<Transport, string>> = {
  gossip: "/api/acknowledge",
  pubsub: "/api/acknowledge_pubsub",
};
const TOKEN_HEADER = "x-fleetport-token";
/** The answers of the ack API are far shorter. */
const MAX_ANSWER_BYTES = 16 * 1024;
const MAX_DETAIL = 200;

export class AckClient {
  readonly #token: string | null;
  readonly #times: DeliveryTimes;
  readonly #agent = new Agent({ keepAlive: true, scheduling: "lifo" });
  readonly #open = new Set<ClientRequest>();
  #closed = false;

  constructor(token: string | null, times: DeliveryTimes = DELIVERY_TIMES) {
    this.#token = token;
    this.#times = times;
  }

  /** Never throws. The status counts once the answer is whole, or is longer than any that is worth reading. */
  async post(to: HostPort, transport: Transport, ack: AckBody): Promise<Answer> {
    const { pk, ...rest } = ack;
    const { timestamp, ...said } = rest;
    const body = JSON.stringify(
      transport === "gossip" ? { message_pk: pk, ...said } : { request_id: pk, ...rest },
    );
    const options: RequestOptions = {
      host: to.host,
      port: to.port,
      method: "POST",
      path: PATHS[transport],
      headers: {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        ...(this.#token === null ? {} : { [TOKEN_HEADER]: this.#token }),
      },
    };
    try {
      return await this.#send({ ...options, agent: this.#agent }, body).catch((error: unknown) => {
        if (!(error instanceof StaleConnection)) throw error;
        // The originator closed it while it was idle: nothing was asked yet.
        return this.#send({ ...options, agent: false }, body);
      });
    } catch (error) {
      return { kind: "unanswered", reason: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Breaks off what is under way and closes every connection. */
  close(): void {
    this.#closed = true;
    for (const open of this.#open) open.destroy(new Error("the node stops"));
    this.#agent.destroy();
  }

  #send(options: RequestOptions, body: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new Error("the node stops"));
        return;
      }
      const { connectMs, responseMs } = this.#times;
      const sent = request(options);
      this.#open.add(sent);
      let timer = limit(sent, connectMs, "no connection");
      const connected = () => {
        clearTimeout(timer);
        timer = limit(sent, responseMs, "no whole answer");
      };
      sent.on("socket", (socket) => {
        if (socket.connecting) socket.once("connect", connected);
        else connected();
      });
      let began = false;
      sent.on("response", (answer) => {
        began = true;
        read(answer).then(resolve, reject);
      });
      sent.on("error", (error: NodeJS.ErrnoException) => {
        const stale = sent.reusedSocket && !began && (error.code === "ECONNRESET" || error.code === "EPIPE");
        reject(stale ? new StaleConnection() : error);
      });
      sent.on("close", () => {
        clearTimeout(timer);
        this.#open.delete(sent);
        // The end of an answer that began tells by itself how it went.
        if (!began) reject(new Error("the connection was closed without an answer"));
      });
      sent.end(body);
    });
  }
}

class StaleConnection extends Error {}

function limit(sent: ClientRequest, ms: number, what: string): NodeJS.Timeout {
  return setTimeout(() => sent.destroy(new Error(`${what} within ${ms} ms`)), ms);
}

function read(answer: IncomingMessage): Promise<Answer> {
  const status = answer.statusCode ?? 0;
  const chunks: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    answer.on("error", reject);
    answer.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes <= MAX_ANSWER_BYTES) return;
      resolve({ kind: "answered", status, detail: null });
      answer.destroy();
    });
    answer.on("end", () => {
      resolve({ kind: "answered", status, detail: detailOf(Buffer.concat(chunks).toString()) });
    });
  });
}

/** The `error` of an answer, for people. */
function detailOf(text: string): string | null {
  try {
    const body: unknown = JSON.parse(text);
    const error = typeof body === "object" && body !== null && "error" in body ? body.error : null;
    return typeof error === "string" ? error.slice(0, MAX_DETAIL) : null;
  } catch {
    return null;
  }
}
