/** @module Who listens where a node's agent is to listen: nobody, an agent, or some other program. */
import { connect } from "node:net";
import { AgentError } from "../../../lib/corrosion/client/errors.ts";
import type { CorrosionClient } from "../../../lib/corrosion/client/http.ts";

export type Listener =
  | { readonly kind: "nobody" }
  | { readonly kind: "agent" }
  /** `reason` is a sentence for people that names the port. */
  | { readonly kind: "foreign"; readonly reason: string };

const CONNECT_MS = 1000;
const ANSWER_MS = 2000;

/** Looks at the port; `client` speaks to it. Throws the signal's reason. */
export async function whoListens(
  host: string,
  port: number,
  client: CorrosionClient,
  signal: AbortSignal,
): Promise<Listener> {
  if (!(await isOpen(host, port))) return { kind: "nobody" };
  signal.throwIfAborted();
  try {
    await client.ping({ timeoutMs: ANSWER_MS, signal });
    return { kind: "agent" };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof AgentError)) throw error;
    // Only an agent is too busy in these words.
    if (error.kind === "overloaded") return { kind: "agent" };
    return {
      kind: "foreign",
      reason: `Port ${port} on ${host} is in use by a program that does not answer like a Corrosion agent of this node (${error.message}): stop that program, or set CORROSION_API_PORT to another port, then start the agent.`,
    };
  }
}

function isOpen(host: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host, port, timeout: CONNECT_MS });
  const settle = (open: boolean) => {
    socket.destroy();
    resolve(open);
  };
  socket.once("connect", () => settle(true));
  socket.once("timeout", () => settle(false));
  socket.once("error", () => settle(false)); // refused; what else is wrong the agent's own start will say
  return promise;
}
