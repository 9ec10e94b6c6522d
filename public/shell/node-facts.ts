/** @module This node's facts, asked for once for the whole shell and every page. */
import { signal } from "@preact/signals";
import type { AgentStatus, NodeFacts } from "../../services/corrosion/contract.ts";
import type { Resource } from "../data/resource.ts";
import { useResource } from "../data/use-resource.ts";

const POLL_MS = 10_000;

/** Null until they are known; stays as it was while the node does not answer. */
export const nodeFacts = signal<NodeFacts | null>(null);

/** Keeps `nodeFacts` fresh; the header is the one who does. */
export function useNodeFacts(): Resource<NodeFacts> {
  const facts = useResource<NodeFacts>("/api/node", {
    topics: ["agent_state"],
    pollMs: POLL_MS,
    // The one event of its topic is the agent's status.
    apply: (data, { data: agent }) => ({ ...data, agent: agent as AgentStatus }),
  });
  if (facts.kind === "ok" && nodeFacts.peek() !== facts.data)
    queueMicrotask(() => {
      nodeFacts.value = facts.data;
    });
  return facts;
}
