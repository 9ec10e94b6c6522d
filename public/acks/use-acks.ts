/** @module The newest message of this node and its acknowledgements, live; and the nodes that a message waits for. */
import { useMemo, useRef } from "preact/hooks";
import type { AckStatus } from "../../services/acks/contract.ts";
import { sentenceOf } from "../data/api-error.ts";
import { dataOf, errorOf, type Resource } from "../data/resource.ts";
import type { DnsAnswer } from "../data/sourced.ts";
import { streamState } from "../data/stream.ts";
import { useResource } from "../data/use-resource.ts";
import { nodeFacts } from "../shell/node-facts.ts";
import { type Progress, progressOf, seenNodes } from "./progress.ts";

const DNS_POLL_MS = 15_000;

export interface Acks {
  readonly resource: Resource<AckStatus>;
  readonly dns: Resource<DnsAnswer>;
  /** Null before the first answer. */
  readonly progress: Progress | null;
  /** Looks again after the person did something; the stream, while it lives, does that by itself. */
  readonly changed: () => void;
}

export function useAcks(): Acks {
  const resource = useResource<AckStatus>("/api/acks", {
    topics: ["ack_events"],
    // The one event of the topic is the whole status.
    apply: (_, { data }) => data as AckStatus,
  });
  const dns = useResource<DnsAnswer>("/api/cluster/dns", { pollMs: DNS_POLL_MS });
  const status = dataOf(resource);
  const named = dataOf(dns)?.data.nodes ?? null;
  const own = nodeFacts.value?.node_id ?? status?.node_id ?? null;

  const remembered = useRef<readonly string[]>([]);
  remembered.current = seenNodes(remembered.current, status);
  const seen = remembered.current;

  const progress = useMemo(() => {
    if (status === null) return null;
    const known = [...seen, ...(named ?? []).map(({ node_id }) => node_id)];
    return progressOf(
      status,
      known.filter((nodeId) => nodeId !== own),
    );
  }, [status, seen, named, own]);

  const changed = () => {
    // An answer that overtakes an event would take the page back for a moment.
    if (streamState.peek() !== "open") void resource.refetch();
  };
  return { resource, dns, progress, changed };
}

/** Why DNS does not say which nodes there are, one sentence; null: it does. */
export function dnsProblem(dns: Resource<DnsAnswer>): string | null {
  const error = errorOf(dns);
  if (error !== null) return sentenceOf(error);
  const said = dataOf(dns)?.error ?? null;
  return said === null ? null : sentenceOf(said);
}
