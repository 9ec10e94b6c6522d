/** @module What a cluster is made of: the interface of a part, and the ports that parts want. */
import { createServer } from "node:net";
import type { PartName, Running } from "./record.ts";

export interface WantedPort {
  readonly host: string;
  readonly port: number;
  /** The environment variable that moves it. */
  readonly variable: string;
}

export interface Part {
  readonly name: PartName;
  /** Where clients will reach it; null when only its start decides that. */
  readonly address: string | null;
  readonly ports: readonly WantedPort[];
  /** Starts it in the background. It need not be ready when this resolves. */
  launch(): Promise<Running>;
}

/**
 * Throws one sentence that names the port, what wants it and what to do, when a port of these parts cannot be opened.
 */
export async function checkPorts(parts: readonly Part[]): Promise<void> {
  const taken = new Map<number, Part>();
  for (const part of parts) {
    for (const { host, port, variable } of part.ports) {
      const advice = `set ${variable} to another one`;
      const other = taken.get(port);
      if (other) throw new Error(`Port ${port} is wanted by ${other.name} and by ${part.name}: ${advice}.`);
      taken.set(port, part);
      const failure = await tryPort(host, port);
      if (failure === null) continue;
      throw new Error(
        failure === "EADDRINUSE"
          ? `Port ${port} on ${host} is in use by another program, and ${part.name} needs it: stop that program, or ${advice}.`
          : `Port ${port} on ${host} cannot be opened (${failure}), and ${part.name} needs it: ${advice}.`,
      );
    }
  }
}

/** Null when one can listen there, else the system's code for why not. */
function tryPort(host: string, port: number): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const server = createServer();
  server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  server.listen(port, host, () => server.close(() => resolve(null)));
  return promise;
}
