/** @module Server-sent events: who listens to which topics of this node, and what each of them is sent. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { ConsoleRefused } from "./console-errors.ts";
import { brings, concerns, type Incoming, stateOf, type Topic } from "./topics.ts";

export interface EventStreamOptions {
  readonly nodeId: string;
  /** What a client may be behind before it is dropped, bytes. */
  readonly bufferBytes: number;
  /** Streams at most. */
  readonly maxStreams: number;
  /** A comment goes out this often, so that proxies and clients see that the stream lives. */
  readonly commentMs: number;
  /** After how long a client should come back; up to twice that, so that they do not all come at once. */
  readonly retryMs: number;
  /** Asks an action of this node where a topic stands; rejects when it does not say so in time. */
  readonly ask: (action: string) => Promise<unknown>;
  /** Told what did not work, for the log. */
  readonly onProblem: (message: string, fields: object) => void;
}

const HEAD = {
  "content-type": "text/event-stream; charset=utf-8",
  // Proxies that collect an answer before they pass it on would hold events back.
  "x-accel-buffering": "no",
};

/** One connection, which takes the events of its topics. */
interface Client {
  readonly response: ServerResponse;
  readonly topics: readonly Topic[];
  /** Events, by topic, that wait until the client was told where that topic stands. */
  readonly held: Map<Topic, string[]>;
  heldBytes: number;
}

export class EventStreams {
  readonly #options: EventStreamOptions;
  readonly #clients = new Set<Client>();
  readonly #timer: NodeJS.Timeout;
  #lastId = 0;
  #closed = false;

  constructor(options: EventStreamOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#comment(), options.commentMs);
  }

  get size(): number {
    return this.#clients.size;
  }

  /**
   * Answers a request with a stream of these topics, which begins with where each of them stands; HEAD gets the
   * headers alone. Throws 503 when there are too many streams, or the node ends.
   */
  open(
    request: IncomingMessage,
    response: ServerResponse,
    topics: readonly Topic[],
    headers: Readonly<Record<string, string>>,
  ): void {
    this.#admit();
    // Its client left while the request was looked at, and nothing would tell that again.
    if (response.destroyed) return;
    response.writeHead(200, { ...headers, ...HEAD });
    if (request.method === "HEAD") {
      response.end();
      return;
    }
    const stated = topics.filter((topic) => stateOf(topic) !== null);
    const client: Client = {
      response,
      topics,
      held: new Map(stated.map((topic) => [topic, []])),
      heldBytes: 0,
    };
    this.#clients.add(client);
    response.on("close", () => this.#clients.delete(client));
    const { retryMs } = this.#options;
    response.write(`retry: ${Math.round(retryMs * (1 + Math.random()))}\n\n`);
    for (const topic of stated) void this.#tellState(client, topic);
  }

  /** Sends an event to everybody who listens to it, unless it is another node's. */
  publish(incoming: Incoming): void {
    if (this.#clients.size === 0 || !concerns(this.#options.nodeId, incoming)) return;
    let frame: string | null = null;
    for (const client of this.#clients) {
      const topic = client.topics.find((one) => brings(one, incoming));
      if (topic === undefined) continue;
      frame ??= this.#frame(incoming.event, incoming.payload);
      const held = client.held.get(topic);
      if (held === undefined) this.#send(client, frame);
      else this.#hold(client, held, frame);
    }
  }

  /** Ends every stream; their clients connect anew, elsewhere if they can. No stream is opened any more. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const { response } of this.#clients) response.end();
    this.#clients.clear();
  }

  #admit(): void {
    const { maxStreams } = this.#options;
    if (this.#closed) throw new ConsoleRefused(503, "draining", "this node ends: connect to another one");
    if (this.#clients.size >= maxStreams) {
      const text = `this node has ${maxStreams} event streams, as many as it takes: close some, or wait`;
      throw new ConsoleRefused(503, "too_many_streams", text);
    }
  }

  /** What happens while the state is asked for comes after it, so that the newest is always the last. */
  async #tellState(client: Client, topic: Topic): Promise<void> {
    const state = stateOf(topic);
    if (state === null) return;
    try {
      const payload = await this.#options.ask(state.action);
      if (payload !== null) this.#send(client, this.#frame(state.event, payload));
    } catch (error) {
      // The client has asked for the state by itself too, and is told there why there is none.
      this.#options.onProblem("no state for an event stream", { topic: topic.name, error: String(error) });
    }
    const held = client.held.get(topic) ?? [];
    client.held.delete(topic);
    for (const frame of held) {
      client.heldBytes -= frame.length;
      this.#send(client, frame);
    }
  }

  #frame(event: string, payload: unknown): string {
    this.#lastId += 1;
    return `event: ${event}\nid: ${this.#lastId}\ndata: ${JSON.stringify(payload ?? null)}\n\n`;
  }

  #hold(client: Client, held: string[], frame: string): void {
    client.heldBytes += frame.length;
    if (client.heldBytes > this.#options.bufferBytes) this.#drop(client);
    else held.push(frame);
  }

  #send(client: Client, frame: string): void {
    const { response } = client;
    if (response.destroyed || response.writableEnded) return;
    // What waits counts, and not the frame: a state larger than the buffer would end every stream that asks for it.
    if (response.writableLength > this.#options.bufferBytes) this.#drop(client);
    else response.write(frame);
  }

  /** It reconnects and fetches anew, which costs less than what it would have to read. */
  #drop(client: Client): void {
    this.#clients.delete(client);
    client.response.destroy();
    this.#options.onProblem("an event stream was dropped: its client reads too slowly", {
      topics: client.topics.map(({ name }) => name),
    });
  }

  #comment(): void {
    // Pages of a browser hear events, and no comments: by this they know that the connection still carries anything.
    for (const client of this.#clients) this.#send(client, ": alive\nevent: alive\ndata: null\n\n");
  }
}
