/** @module What commands of the REPL have in common: which node is meant, how it is asked, how they fail. */
import type { ServiceBroker } from "moleculer";
import { nodesWith } from "./cluster-nodes.ts";

/** The command could not do what it was asked to; the message is for the person who typed it. */
export class ConsoleCommandFailed extends Error {
  override name = "ConsoleCommandFailed";
}

/** Takes what a command prints, line by line as it comes. */
export type Print = (text: string) => void;

export const ANSWER_MS = 5000;
export const NO_NODE = "No node with a Corrosion agent is there.";
export const NODE_OPTION = {
  option: "--node <id>",
  description: "the node that is meant, when it is not this one",
};

/** The node that is named, else this broker's own, else the only one. Throws `ConsoleCommandFailed` when that is open. */
export function nodeOf(broker: ServiceBroker, node: string | null): string {
  const nodes = nodesWith(broker, "corrosion.agent").map(({ id }) => id);
  const chosen =
    node ?? (nodes.includes(broker.nodeID) ? broker.nodeID : nodes.length === 1 ? nodes[0] : null);
  if (chosen !== null && chosen !== undefined && nodes.includes(chosen)) return chosen;
  if (nodes.length === 0) throw new ConsoleCommandFailed(NO_NODE);
  const wrong = node === null ? "Say which node is meant" : `There is no node "${node}"`;
  throw new ConsoleCommandFailed(`${wrong}: give --node and one of ${nodes.join(", ")}.`);
}

/** Calls an action of the node. Throws `ConsoleCommandFailed` with the action's own sentence. */
export async function ask<T>(
  broker: ServiceBroker,
  nodeID: string,
  action: string,
  params: object,
  timeout = ANSWER_MS,
): Promise<T> {
  try {
    return await broker.call<T, object>(action, params, { nodeID, timeout });
  } catch (error) {
    throw new ConsoleCommandFailed(`${nodeID} does not do it: ${sentence(error)}`, { cause: error });
  }
}

export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
