/** @module A client of server-sent events that shows every line as it came. */
import { type ClientRequest, get, type IncomingMessage } from "node:http";
import { until } from "./until.ts";

export interface StreamEvent {
  readonly event: string;
  readonly id: string;
  readonly data: unknown;
}

export class EventSource {
  readonly response: IncomingMessage;
  readonly #request: ClientRequest;
  /** Everything that came, as text. */
  text = "";
  /** How it ended; null while it goes on. */
  ended: "end" | "cut" | null = null;

  private constructor(request: ClientRequest, response: IncomingMessage) {
    this.#request = request;
    this.response = response;
    response.setEncoding("utf8");
    response.on("end", () => {
      this.ended ??= "end";
    });
    response.on("error", () => {
      this.ended ??= "cut";
    });
  }

  /** Opens a stream and reads it, unless `paused`. */
  static open(url: string, topics: string, options: { paused?: boolean } = {}): Promise<EventSource> {
    return new Promise((resolve, reject) => {
      const request = get(
        `${url}/api/stream?topics=${encodeURIComponent(topics)}`,
        { agent: false },
        (response) => {
          const source = new EventSource(request, response);
          if (!options.paused) source.read();
          resolve(source);
        },
      );
      // After the head has come, the response tells of errors.
      request.on("error", reject);
    });
  }

  read(): void {
    this.response.on("data", (text: string) => {
      this.text += text;
    });
  }

  /** Whole events so far. */
  get events(): StreamEvent[] {
    return this.text
      .split("\n\n")
      .slice(0, -1)
      .filter((block) => block.startsWith("event: "))
      .map((block) => {
        const fields = new Map(block.split("\n").map((line) => line.split(/: (.*)/s) as [string, string]));
        return {
          event: fields.get("event") ?? "",
          id: fields.get("id") ?? "",
          data: JSON.parse(fields.get("data") ?? ""),
        };
      });
  }

  async untilEvents(count: number): Promise<StreamEvent[]> {
    await until(`${count} events, and not: ${this.text}`, () => this.events.length >= count, 5000);
    return this.events;
  }

  close(): void {
    this.#request.destroy();
  }
}
