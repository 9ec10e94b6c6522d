/** @module The engine's warnings in the log: each once when it appears, and once when it goes. */
import type { EngineLogger } from "./engine/logger.ts";

export class EngineWarnings {
  readonly #logger: EngineLogger;
  #known: ReadonlySet<string> = new Set();

  constructor(logger: EngineLogger) {
    this.#logger = logger;
  }

  /** Tells what changed since the last look. */
  look(warnings: readonly string[]): void {
    const now = new Set(warnings);
    for (const warning of now.difference(this.#known)) this.#logger.warn(warning);
    for (const warning of this.#known.difference(now)) {
      this.#logger.info("a warning of the log engine is over", { warning });
    }
    this.#known = now;
  }
}
