/** @module An HTTP server that answers as an agent would, request by request, as the test says. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { until } from "./until.ts";

export class Exchange {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The client closed the connection, or the answer is over. */
  closed = false;
  readonly #answer: ServerResponse;

  constructor(request: IncomingMessage, answer: ServerResponse, body: string) {
    this.method = request.method ?? "";
    this.path = request.url ?? "";
    this.headers = request.headers;
    this.body = body;
    this.#answer = answer;
    answer.on("close", () => {
      this.closed = true;
    });
  }

  /** Sends the head of an answer; the body may follow. */
  head(status: number, headers: Readonly<Record<string, string>> = {}): this {
    this.#answer.writeHead(status, headers);
    this.#answer.flushHeaders();
    return this;
  }

  /** A subscription's head. */
  subscribed(id: string): this {
    return this.head(200, { "corro-query-id": id, "corro-query-hash": "0123456789abcdef" });
  }

  /** A whole answer. */
  reply(status: number, body: string | object): void {
    this.head(status).#answer.end(typeof body === "string" ? body : JSON.stringify(body));
  }

  write(bytes: string | Uint8Array): this {
    this.#answer.write(bytes);
    return this;
  }

  lines(...lines: readonly (string | object)[]): this {
    return this.write(
      lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join(""),
    );
  }

  end(): void {
    this.#answer.end();
  }

  /** Ends the connection in the middle of the answer. */
  cut(): void {
    this.#answer.destroy();
  }
}

export class ScriptedAgent {
  readonly url: string;
  /** Every request that came, in order. */
  readonly exchanges: Exchange[] = [];
  /** Answers requests at once, instead of leaving them to the test. */
  onRequest: ((exchange: Exchange) => void) | null = null;
  readonly #server: ReturnType<typeof createServer>;
  #taken = 0;

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    const address = server.address();
    this.url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
    server.on("request", (request, answer) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const exchange = new Exchange(request, answer, Buffer.concat(chunks).toString());
        this.exchanges.push(exchange);
        this.onRequest?.(exchange);
      });
    });
  }

  static async start(port = 0): Promise<ScriptedAgent> {
    const server = createServer();
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return new ScriptedAgent(server);
  }

  /** The next request that the test has not taken yet. */
  async next(): Promise<Exchange> {
    await until("a request reaches the agent", () => this.exchanges.length > this.#taken);
    this.#taken += 1;
    const exchange = this.exchanges[this.#taken - 1];
    if (!exchange) throw new Error("no request");
    return exchange;
  }

  /** Connections that are open now. */
  connections(): Promise<number> {
    return new Promise((resolve, reject) =>
      this.#server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    );
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }
}
