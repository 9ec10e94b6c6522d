/** @module An agent's answer as events, line by line, at the reader's pace. */
import type { IncomingMessage } from "node:http";
import { AgentError } from "./errors.ts";
import { BadLine, OldLine } from "./events.ts";
import { InvalidText, LineDecoder, LineTooLong } from "./ndjson.ts";
import type { Transport } from "./transport.ts";

/**
 * The events of the answer's body. Leaving the loop closes the connection. Throws `AgentError` (`unreachable`,
 * `protocol`, `too_old`, and `incomplete` for a last line that is cut off) and the signal's reason.
 */
export async function* events<E>(
  transport: Transport,
  answer: IncomingMessage,
  signal: AbortSignal,
  parse: (line: string) => E,
): AsyncGenerator<E, void> {
  const decoder = new LineDecoder();
  const { agent } = transport;
  for await (const chunk of transport.chunks(answer, signal)) {
    for (const line of checked(agent, () => decoder.push(chunk))) yield checked(agent, () => parse(line));
  }
  let last: E[];
  try {
    last = decoder.end().map(parse);
  } catch (error) {
    throw new AgentError("incomplete", `the agent at ${agent} ended its answer inside a line`, {
      cause: error,
    });
  }
  yield* last;
}

function checked<T>(agent: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof OldLine) {
      const message = `the agent at ${agent} is older than Corrosion 1.0, which Fleetport needs: update it`;
      throw new AgentError("too_old", message, { cause: error });
    }
    if (error instanceof BadLine || error instanceof InvalidText || error instanceof LineTooLong) {
      throw new AgentError("protocol", `what the agent at ${agent} sends cannot be read: ${error.message}`, {
        cause: error,
      });
    }
    throw error;
  }
}
