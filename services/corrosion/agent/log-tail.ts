/** @module The last lines that an agent printed, and the file that has all of them. */
import { isoMicros, systemClock } from "../../../lib/clock.ts";
import type { LineFile } from "../../../lib/logging.ts";
import type { AgentLogs } from "../contract.ts";

type Line = AgentLogs["lines"][number];

export const MAX_LINES = 500;
/** Longer lines are cut: one line must not cost megabytes of RAM. */
const MAX_LENGTH = 8192;

export class LogTail {
  #lines: Line[] = [];
  readonly #file: LineFile | null;

  /** `file` is null where no log files are kept. */
  constructor(file: LineFile | null) {
    this.#file = file;
  }

  add(stream: Line["stream"], text: string): void {
    const at = isoMicros(systemClock());
    this.#lines.push({ at, stream, line: text.slice(0, MAX_LENGTH) });
    // Cut in blocks: shifting a long list for each line would cost more than the lines.
    if (this.#lines.length >= 2 * MAX_LINES) this.#lines = this.#lines.slice(-MAX_LINES);
    this.#file?.write(stream === "agent" ? `${at} fleetport: ${text}\n` : `${text}\n`);
  }

  /** The newest `limit` lines, oldest first. */
  last(limit: number): AgentLogs {
    return { lines: this.#lines.slice(-Math.min(limit, MAX_LINES)) };
  }

  /** The last line of the agent's own that it printed on standard error, else on standard output. */
  lastWords(since: number): string | null {
    const spoken = this.#lines.filter((line) => line.stream !== "agent" && Date.parse(line.at) >= since);
    const words = spoken.findLast(({ stream }) => stream === "stderr") ?? spoken.at(-1);
    return words?.line.trim() || null;
  }

  close(): void {
    this.#file?.close();
  }
}

/** Cuts what a stream brings into lines. */
export function lineSplitter(take: (line: string) => void): (chunk: string) => void {
  let rest = "";
  return (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = (lines.pop() ?? "").slice(0, MAX_LENGTH);
    for (const line of lines) take(line.replace(/\r$/, ""));
  };
}
