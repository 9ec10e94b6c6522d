/** @module Request bodies and query strings read, with the answers for those that cannot be. */
import type { IncomingMessage } from "node:http";
import { parseWithSource, type SourceJson } from "../json/source.ts";
import { WrongShape } from "../json/statements.ts";
import { text, type WholeAnswer } from "./answer.ts";

/** The request ends here, with this answer. */
export class Rejected extends Error {
  override name = "Rejected";
  readonly answer: WholeAnswer;
  constructor(answer: WholeAnswer) {
    super(answer.body);
    this.answer = answer;
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const REAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const INFINITE = /^[+-]?inf(?:inity)?$/i;
const JSON_TYPE = /^application\/(?:[^;\s]+\+)?json\s*(?:;|$)/i;

/** The body as JSON, read by `shape`. Throws `Rejected`, and what the connection does when it breaks. */
export async function readJson<T>(request: IncomingMessage, shape: (json: SourceJson) => T): Promise<T> {
  if (!JSON_TYPE.test(request.headers["content-type"] ?? "")) {
    throw new Rejected(text(415, "Expected request with `Content-Type: application/json`"));
  }
  const json = parsed(await wholeBody(request));
  try {
    return shape(json);
  } catch (error) {
    if (!(error instanceof WrongShape)) throw error;
    const reason = `Failed to deserialize the JSON body into the target type: ${error.message}`;
    throw new Rejected(text(422, reason));
  }
}

/** Listens instead of iterating, which costs a small request a good part of its time. */
function wholeBody(request: IncomingMessage): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.once("end", () => {
    const [only] = chunks;
    resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks));
  });
  request.once("error", reject);
  return promise;
}

function parsed(bytes: Uint8Array): SourceJson {
  try {
    return parseWithSource(UTF8.decode(bytes));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Rejected(text(400, `Failed to parse the request body as JSON: ${reason}`));
  }
}

/** The parameters of a query string; each may be given once. */
export class QueryString {
  readonly #params: URLSearchParams;

  constructor(params: URLSearchParams) {
    this.#params = params;
  }

  /** A whole number that fits 64 bits without sign. Throws `Rejected`. */
  u64(name: string): bigint | null {
    return this.#unsigned(name, 64n);
  }

  /** A whole number that fits 16 bits without sign. Throws `Rejected`. */
  u16(name: string): number | null {
    const number = this.#unsigned(name, 16n);
    return number === null ? null : Number(number);
  }

  #unsigned(name: string, bits: bigint): bigint | null {
    const value = this.#one(name);
    if (value === null) return null;
    if (value === "") throw this.#bad(name, "cannot parse integer from empty string");
    if (!/^\+?\d+$/.test(value)) throw this.#bad(name, "invalid digit found in string");
    const number = BigInt(value.replace("+", ""));
    if (number >= 2n ** bits) throw this.#bad(name, "number too large to fit in target type");
    return number;
  }

  /** A whole number that fits 64 bits. Throws `Rejected`. */
  i64(name: string): bigint | null {
    const value = this.#one(name);
    if (value === null) return null;
    if (value === "") throw this.#bad(name, "cannot parse integer from empty string");
    if (!/^[+-]?\d+$/.test(value)) throw this.#bad(name, "invalid digit found in string");
    return BigInt(value.replace("+", ""));
  }

  /** Throws `Rejected`. */
  real(name: string): number | null {
    const value = this.#one(name);
    if (value === null) return null;
    if (value === "") throw this.#bad(name, "cannot parse float from empty string");
    if (INFINITE.test(value))
      return value.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    if (!REAL.test(value)) throw this.#bad(name, "invalid float literal");
    return Number(value);
  }

  /** `true` or `false`; left out: false. Throws `Rejected`. */
  flag(name: string): boolean {
    const value = this.#one(name);
    if (value === null) return false;
    if (value !== "true" && value !== "false") {
      throw this.#bad(name, "provided string was not `true` or `false`");
    }
    return value === "true";
  }

  #one(name: string): string | null {
    const values = this.#params.getAll(name);
    if (values.length > 1)
      throw new Rejected(text(400, `Failed to deserialize query string: duplicate field \`${name}\``));
    return values[0] ?? null;
  }

  #bad(name: string, reason: string): Rejected {
    return new Rejected(text(400, `Failed to deserialize query string: ${name}: ${reason}`));
  }
}
