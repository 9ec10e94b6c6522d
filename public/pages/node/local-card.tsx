/** @module The bootstrap hosts of this node's agent: what they are, a change of them, and the way back. */
import type { ConfigJob, NodeConfiguration } from "../../../services/corrosion/contract.ts";
import { Age } from "../../components/age.tsx";
import { Badge } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { Notice } from "../../components/notice.tsx";
import { send } from "../../data/api.ts";
import { sentenceOf } from "../../data/api-error.ts";
import { dataOf, errorOf, type Resource } from "../../data/resource.ts";
import { tell, toast } from "../../data/toasts.ts";
import { confirmed, type Question } from "../../shell/confirm.tsx";
import { BackupsList } from "./backups-list.tsx";
import { HostList } from "./host-list.tsx";
import { HostsField } from "./hosts-field.tsx";
import { isJobOver, JOB_TITLES, jobSteps } from "./job-steps.ts";
import { Steps } from "./steps.tsx";
import { useHosts } from "./use-hosts.ts";
import type { Job } from "./use-job.ts";
import { type Ending, useOutcome } from "./use-outcome.ts";

export interface LocalCardProps {
  readonly configuration: Resource<NodeConfiguration>;
  readonly job: Job;
}

const RESTARTS = "The agent restarts with it. The present configuration is kept as a backup.";

export function LocalCard({ configuration, job }: LocalCardProps) {
  const known = dataOf(configuration);
  const hosts = useHosts(known?.hosts ?? []);
  const follow = useOutcome(endingOf(job.job));
  const locked = known?.editable !== true || job.busy;

  async function update(): Promise<void> {
    if (!hosts.check()) return;
    const question = {
      title: "Update the bootstrap hosts of this node?",
      text: `New hosts: ${hosts.text.trim() || "none"}. ${RESTARTS}`,
      action: "Update and restart",
    };
    if (!(await confirmed(question))) return;
    const begun = await hosts.submit(
      (list) => send<ConfigJob>("PUT", "/api/config/bootstrap", { hosts: list }),
      "The hosts were not updated",
    );
    if (begun === null) return;
    toast.success("The update has begun.");
    started(begun);
  }

  async function goBack(question: Question, path: string, body?: object): Promise<void> {
    if (!(await confirmed(question))) return;
    const begun = await tell(() => send<ConfigJob>("POST", path, body), {
      done: ({ kind }) => `${JOB_TITLES[kind]} has begun.`,
      failed: "Nothing was changed",
    });
    if (begun !== null) started(begun);
  }

  function started(begun: ConfigJob): void {
    follow(begun.job_id);
    void job.resource.refetch();
  }

  const restore = {
    title: "Restore the canonical configuration?",
    text: `The node goes back to the configuration that it was delivered with. ${RESTARTS}`,
    action: "Restore canonical",
  };
  const rollback = (at: string) => ({
    title: "Roll back to this backup?",
    text: `The configuration from before ${at} comes back. ${RESTARTS}`,
    action: "Roll back",
  });

  return (
    <ResourceCard
      title="Local bootstrap"
      resource={configuration}
      lines={8}
      note={known?.canonical === true && <Badge>canonical</Badge>}
      actions={
        <Button
          size="small"
          disabled={locked}
          {...(known?.reason && { title: known.reason })}
          onPress={() => goBack(restore, "/api/config/restore-canonical")}
        >
          Restore Canonical
        </Button>
      }
    >
      {({ backups, editable, hosts: current, problem, reason }) => (
        <div class="space-y-4">
          {!editable && <Notice tone="info">{sentenceOf(reason ?? "it cannot be changed here")}</Notice>}
          {problem !== null && <Notice tone="bad">{sentenceOf(problem)}</Notice>}
          <HostList title="Current hosts" hosts={current} />
          <form
            class="space-y-3"
            onSubmit={(event) => {
              event.preventDefault();
              if (!locked) void update();
            }}
          >
            <HostsField
              value={hosts.text}
              onChange={hosts.change}
              problems={hosts.problems}
              disabled={!editable}
            />
            <Button tone="primary" type="submit" busy={job.busy} disabled={!editable}>
              Update & Restart Corrosion
            </Button>
          </form>
          <JobProgress job={job} />
          <BackupsList
            backups={backups}
            disabled={locked}
            onRollback={({ id, created_at }) =>
              goBack(rollback(created_at), "/api/config/rollback", { backup_id: id })
            }
          />
        </div>
      )}
    </ResourceCard>
  );
}

function JobProgress({ job: { job, reached, resource } }: { readonly job: Job }) {
  const problem = errorOf(resource);
  if (problem !== null && job === null)
    return <p class="text-xs text-bad">The newest change is not known: {sentenceOf(problem)}</p>;
  // Its place is there before there is a job, so that nothing moves when one begins elsewhere.
  return (
    <div class="space-y-2" data-job={job?.state ?? "none"}>
      <p class="flex flex-wrap items-center gap-2 text-xs text-muted">
        <span class="font-semibold text-ink">{job === null ? "Newest change" : JOB_TITLES[job.kind]}</span>
        {job === null ? "none since the node started" : <Age at={job.timestamp} />}
      </p>
      <Steps label="Newest change" steps={jobSteps(job, reached)} />
      {job?.state === "error" ? (
        <Notice tone="bad">{sentenceOf(job.message)}</Notice>
      ) : (
        <p class="min-h-4 text-xs text-muted">{job !== null && sentenceOf(job.message)}</p>
      )}
    </div>
  );
}

function endingOf(job: ConfigJob | null): Ending | null {
  if (job === null || !isJobOver(job)) return null;
  return { id: job.job_id, ok: job.state === "ready", text: `${JOB_TITLES[job.kind]}: ${job.message}` };
}
