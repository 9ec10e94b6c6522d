/** @module What a load balancer does: asks every node whether it is ready, and sends requests only where it is. */
import { request } from "./http.ts";

const POLL_MS = 100;

export class Balancer {
  readonly #urls: readonly string[];
  readonly #ready = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(urls: readonly string[]) {
    this.#urls = urls;
    this.#timer = setInterval(() => void this.#poll(), POLL_MS);
  }

  /** Nodes that were ready when they were last asked. */
  get urls(): string[] {
    return this.#urls.filter((url) => this.#ready.has(url));
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #poll(): Promise<void> {
    await Promise.all(
      this.#urls.map(async (url) => {
        const ready = await request(url, "GET", "/health/ready").then(
          ({ status }) => status === 200,
          () => false,
        );
        if (ready) this.#ready.add(url);
        else this.#ready.delete(url);
      }),
    );
  }
}
