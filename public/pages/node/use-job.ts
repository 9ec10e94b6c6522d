/** @module The newest change of this node's configuration, live, and how far it came before it failed. */
import { useRef } from "preact/hooks";
import type { ConfigJob, JobState } from "../../../services/corrosion/contract.ts";
import { dataOf, type Resource } from "../../data/resource.ts";
import { useResource } from "../../data/use-resource.ts";
import { isJobOver, type JobAnswer, jobOf } from "./job-steps.ts";

/** Events tell of every step; this finds what a stream that was away has missed. */
const POLL_MS = 15_000;

export interface Job {
  readonly resource: Resource<JobAnswer>;
  /** Null: none since the node started, or not known yet. */
  readonly job: ConfigJob | null;
  /** The last state before an error, when this page saw it. */
  readonly reached: JobState | null;
  readonly busy: boolean;
}

export function useJob(): Job {
  const reached = useRef<{ readonly id: string; readonly state: JobState } | null>(null);
  const see = (job: ConfigJob): ConfigJob => {
    if (job.state !== "error") reached.current = { id: job.job_id, state: job.state };
    return job;
  };
  const resource = useResource<JobAnswer>("/api/config/job", {
    topics: ["config_job"],
    pollMs: POLL_MS,
    // The one event of the topic.
    apply: (_, { data }) => see(data as ConfigJob),
  });
  const job = jobOf(dataOf(resource));
  if (job !== null) see(job);
  return {
    resource,
    job,
    reached: reached.current?.id === job?.job_id ? (reached.current?.state ?? null) : null,
    busy: job !== null && !isJobOver(job),
  };
}
