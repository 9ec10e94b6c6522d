/** @module An HTTP answer as data, the headers that every answer has, and how it is written. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline, Readable } from "node:stream";

export interface Answer {
  readonly status: number;
  /** A JSON value; a string or a stream goes out as it is and needs its `content-type`; null for none. */
  readonly body: object | string | Readable | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** The one origin, beside the node's own, whose pages may read it; null: none. Default: any. */
  readonly readableBy?: string | null;
}

/** Any page of any origin may call the API, and read why it was refused (contract, section 5). */
const CORS = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers": "Retry-After, Location, X-Nodes-Missing",
};

/** Answers are data: a browser must neither guess their type, nor run, nor frame them. */
const API_HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
};

/** For files of the dashboard: its own scripts and styles, nothing inline, nothing from elsewhere. */
export const PAGE_HEADERS = {
  ...CORS,
  "cache-control": "no-cache",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** The headers of an answer that is data, by whose pages may read it. */
export function headersFor(readableBy: string | null | undefined): Record<string, string> {
  if (readableBy === undefined) return { ...CORS, ...API_HEADERS };
  if (readableBy === null) return { ...API_HEADERS, vary: "Origin" };
  return { ...CORS, ...API_HEADERS, "access-control-allow-origin": readableBy, vary: "Origin" };
}

/** What a JSON answer sends: status, headers with the length, text. */
export function encode(answer: Answer): { head: Record<string, string | number>; text: string } {
  const headers = headersFor(answer.readableBy);
  if (answer.body === null) return { head: { ...headers, ...answer.headers }, text: "" };
  const text = typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body);
  return {
    head: {
      ...headers,
      "content-type": "application/json; charset=utf-8",
      "content-length": Buffer.byteLength(text),
      ...answer.headers,
    },
    text,
  };
}

/** Sends the answer; does nothing when the caller was answered already. */
export function send(response: ServerResponse, answer: Answer): void {
  if (response.headersSent) return;
  if (answer.body instanceof Readable) {
    sendStream(response, answer, answer.body);
    return;
  }
  const { head, text } = encode(answer);
  response.writeHead(answer.status, head);
  response.end(text);
}

/** As fast as the caller reads. One that goes away ends the stream, and a stream that fails ends the connection. */
function sendStream(response: ServerResponse, { headers, readableBy, status }: Answer, body: Readable): void {
  response.writeHead(status, { ...headersFor(readableBy), ...headers });
  if (response.req.method === "HEAD") {
    body.destroy();
    response.end();
    return;
  }
  // Whoever made the stream says why it failed; the caller sees that the answer is not whole.
  pipeline(body, response, () => undefined);
}

/** What OPTIONS is answered with on every path: any method, the headers that were asked for. */
export function preflight(request: IncomingMessage): Answer {
  const method = request.headers["access-control-request-method"];
  const headers = request.headers["access-control-request-headers"];
  return {
    status: 204,
    body: null,
    headers: {
      "access-control-allow-methods": method ?? "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
      ...(headers === undefined ? {} : { "access-control-allow-headers": headers }),
      "access-control-max-age": "600",
      vary: "Access-Control-Request-Method, Access-Control-Request-Headers",
    },
  };
}

/** The same answer as raw bytes, for a connection whose request could not even be read. */
export function rawAnswer(answer: Answer, reason: string): string {
  const { head, text } = encode({ ...answer, headers: { ...answer.headers, connection: "close" } });
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${answer.status} ${reason}\r\n${lines.join("")}\r\n${text}`;
}
