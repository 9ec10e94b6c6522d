/** @module This node's agent, live, and the restart that it is in. */
import { useEffect, useState } from "preact/hooks";
import type { AgentStatus } from "../../../services/corrosion/contract.ts";
import { dataOf, type Resource } from "../../data/resource.ts";
import { useResource } from "../../data/use-resource.ts";
import { useStream } from "../../data/use-stream.ts";
import type { RestartView } from "./job-steps.ts";
import { afterNews, afterStatus, NOTHING_SEEN, type RestartNews } from "./restart-view.ts";

const POLL_MS = 10_000;
/** No event tells of the phases inside a restart: they show by the process. */
const RESTART_POLL_MS = 500;

export interface Agent {
  readonly resource: Resource<AgentStatus>;
  readonly restart: RestartView;
}

export function useAgent(): Agent {
  const [seen, setSeen] = useState(NOTHING_SEEN);
  const resource = useResource<AgentStatus>("/api/agent", {
    topics: ["agent_state"],
    pollMs: seen.restart.kind === "running" ? RESTART_POLL_MS : POLL_MS,
    // The one event of the topic is the agent's status.
    apply: (_, { data }) => data as AgentStatus,
  });
  const status = dataOf(resource);
  useEffect(() => {
    if (status !== null) setSeen((before) => afterStatus(before, status));
  }, [status]);
  useStream(["corrosion"], {
    onEvents: (events) =>
      // The three events of the topic.
      setSeen((before) => events.reduce((known, event) => afterNews(known, event as RestartNews), before)),
  });
  return { resource, restart: seen.restart };
}
