/** @module Request bodies: JSON in UTF-8, of a limited size. */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import ApiGateway from "moleculer-web";
import { FleetError } from "../../lib/errors.ts";
import { RequestRefused } from "./http-errors.ts";

/** Largest request body in bytes, inflated (contract, section 5). */
export const MAX_BODY_BYTES = 1024 * 1024;

interface WithBody extends IncomingMessage {
  body?: unknown;
}
type Parser = (request: WithBody, response: ServerResponse, next: (error?: unknown) => void) => void;

/** Reads a request's body; see `jsonReader`. */
export type JsonReader = (request: WithBody, response: ServerResponse) => Promise<unknown>;

/**
 * Reads the parsed body; undefined when there is none. A body that is refused is read to its end all the same,
 * so that the connection can take the next request.
 * Throws content_too_large, or `RequestRefused` when it is not JSON.
 */
export function jsonReader(maxBytes: number): JsonReader {
  const parse: Parser = ApiGateway.bodyParser.json({
    limit: maxBytes,
    strict: false,
    type: () => true,
    verify(_request: unknown, _response: unknown, bytes: Buffer) {
      // The decoder would put U+FFFD for broken bytes, and so store what nobody sent.
      if (!isUtf8(bytes)) throw new RequestRefused(400, "the body is not valid UTF-8");
    },
  });
  return async (request, response) => {
    // Everything is read as UTF-8 JSON, whatever it is called, and a malformed content type is no reason to fail.
    request.headers["content-type"] = "application/json";
    await new Promise<void>((resolve, reject) => {
      parse(request, response, (error) =>
        error === undefined ? resolve() : reject(refusal(error, maxBytes)),
      );
    });
    return request.body;
  };
}

/** Bodies of the API. */
export const readJson = jsonReader(MAX_BODY_BYTES);

function refusal(error: unknown, maxBytes: number): Error {
  const { type, status, message } = error as { type?: string; status?: number; message: string };
  if (type === "entity.too.large") {
    return new FleetError("content_too_large", `the body is over ${maxBytes} bytes`);
  }
  if (status === 415) return new RequestRefused(415, message, { cause: error });
  return new RequestRefused(400, `the body is not JSON: ${message}`, { cause: error });
}
