/** @module This node's agent, live, and the restart that it is in. */
import { useEffect, useState } from "preact/hooks";
import type { AgentStatus } from "../../../services/corrosion/contract.ts";
import { dataOf, type Resource } from "../../data/resource.ts";
import { useResource } from "../../data/use-resource.ts";
import { useStream } from "../../data/use-stream.ts";
import type { RestartView } from "./job-steps.ts";
import { afterNews, afterStatus, type RestartNews } from "./restart-view.ts";

const POLL_MS = 10_000;

export interface Agent {
  readonly resource: Resource<AgentStatus>;
  readonly restart: RestartView;
}

export function useAgent(): Agent {
  const [restart, setRestart] = useState<RestartView>({ kind: "none" });
  const resource = useResource<AgentStatus>("/api/agent", {
    topics: ["agent_state"],
    pollMs: POLL_MS,
    // The one event of the topic is the agent's status.
    apply: (_, { data }) => data as AgentStatus,
  });
  const status = dataOf(resource);
  useEffect(() => {
    if (status !== null) setRestart((before) => afterStatus(before, status));
  }, [status]);
  useStream(["corrosion"], {
    onEvents: (events) =>
      // The three events of the topic.
      setRestart((before) => events.reduce((known, event) => afterNews(known, event as RestartNews), before)),
  });
  return { resource, restart };
}
