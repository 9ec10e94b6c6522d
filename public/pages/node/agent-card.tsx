/** @module The agent: its state, what can be done with it, and what it said last. */
import type { AgentStatus, RestartStarted } from "../../../services/corrosion/contract.ts";
import { Age } from "../../components/age.tsx";
import { Badge } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { classes } from "../../components/classes.ts";
import { Fact, Facts } from "../../components/facts.tsx";
import { AGENT_TONES } from "../../components/state-tones.ts";
import { SOFT } from "../../components/tone.ts";
import { send } from "../../data/api.ts";
import { dataOf } from "../../data/resource.ts";
import { tell } from "../../data/toasts.ts";
import { confirmed } from "../../shell/confirm.tsx";
import { type AgentCondition, conditionOf, NOT_MANAGED } from "./agent-condition.ts";
import { failureText, type RestartView, restartSteps } from "./job-steps.ts";
import { LogTail } from "./log-tail.tsx";
import { Steps } from "./steps.tsx";
import type { Agent } from "./use-agent.ts";
import { type Ending, useOutcome } from "./use-outcome.ts";

export function AgentCard({ agent: { resource, restart } }: { readonly agent: Agent }) {
  const follow = useOutcome(endingOf(restart));
  const status = dataOf(resource);
  return (
    <ResourceCard
      title="Agent"
      resource={resource}
      lines={18}
      at={() => null}
      note={
        status !== null && (
          <span data-agent={status.state} class="flex items-center gap-2">
            <Badge tone={AGENT_TONES[status.state]}>{status.state}</Badge>
            <Age at={status.since} before="changed" />
          </span>
        )
      }
      actions={
        <Actions
          status={status}
          replace={resource.replace}
          restarted={({ restart_id }) => follow(restart_id)}
        />
      }
    >
      {(known) => (
        <div class="space-y-4">
          <div class="grid gap-4 sm:grid-cols-2">
            <div class="order-last sm:order-none">
              <About status={known} />
            </div>
            <div class="flex min-w-0 flex-col gap-3">
              <Condition {...conditionOf(known, restart)} />
              <div data-restart={restart.kind}>
                <h3 class="mb-1 text-xs font-semibold">Restart</h3>
                <Steps label="Restart" steps={restartSteps(restart)} />
              </div>
            </div>
          </div>
          <LogTail />
        </div>
      )}
    </ResourceCard>
  );
}

interface ActionsProps {
  /** Null: not known yet. */
  readonly status: AgentStatus | null;
  readonly replace: (status: AgentStatus) => void;
  readonly restarted: (started: RestartStarted) => void;
}

function Actions({ status, replace, restarted }: ActionsProps) {
  const managed = status?.managed === true;
  const down = status?.state === "stopped" || status?.state === "crashed";
  const why = status !== null && !managed ? { title: NOT_MANAGED } : {};

  async function start(): Promise<void> {
    const outcome = { done: "The agent starts.", failed: "The agent was not started" };
    const begun = await tell(() => send<AgentStatus>("POST", "/api/agent/start"), outcome);
    if (begun !== null) replace(begun);
  }

  async function stop(): Promise<void> {
    const text =
      "This node sends and takes no messages until it is started again. What it missed it gets from the others then.";
    if (!(await confirmed({ title: "Stop the agent?", text, action: "Stop agent" }))) return;
    const outcome = { done: "The agent stops.", failed: "The agent was not stopped" };
    const begun = await tell(() => send<AgentStatus>("POST", "/api/agent/stop"), outcome);
    if (begun !== null) replace(begun);
  }

  async function restart(): Promise<void> {
    const outcome = {
      done: ({ joined }: RestartStarted) =>
        joined ? "A restart is under way already." : "The agent restarts.",
      failed: "The agent was not restarted",
    };
    const begun = await tell(() => send<RestartStarted>("POST", "/api/agent/restart"), outcome);
    if (begun !== null) restarted(begun);
  }

  return (
    <>
      <Button size="small" label="Start agent" disabled={!managed || !down} onPress={start} {...why}>
        Start
      </Button>
      <Button size="small" label="Restart agent" disabled={!managed} onPress={restart} {...why}>
        Restart
      </Button>
      <Button
        size="small"
        tone="danger"
        label="Stop agent"
        disabled={!managed || down}
        onPress={stop}
        {...why}
      >
        Stop
      </Button>
    </>
  );
}

/** Always there, and as high as long sentences need, so that nothing moves when the agent's condition changes. */
function Condition({ title, tone, text }: AgentCondition) {
  return (
    <div
      role={tone === "bad" ? "alert" : "status"}
      data-condition={tone}
      class={classes(
        "min-h-28 flex-1 rounded-lg px-4 py-3 transition-colors duration-300 sm:min-h-44",
        SOFT[tone],
      )}
    >
      <p class="text-base font-semibold first-letter:uppercase">{title}</p>
      <p class="mt-0.5 text-sm break-words">{text}</p>
    </div>
  );
}

function About({ status }: { readonly status: AgentStatus }) {
  return (
    <Facts>
      <Fact name="Pid">{status.pid ?? "–"}</Fact>
      <Fact name="Program">
        <Path text={status.program} />
        <Badge>{status.kind}</Badge>
      </Fact>
      <Fact name="Restarts">{status.restarts}</Fact>
      <Fact name="API">
        <Path text={status.api_url} />
      </Fact>
      <Fact name="Gossip">
        <Path text={status.gossip_addr} />
      </Fact>
      <Fact name="Admin socket">
        <Path text={status.admin_path} />
      </Fact>
    </Facts>
  );
}

function Path({ text }: { readonly text: string | null }) {
  return <span class="font-mono text-xs font-normal break-all">{text ?? "–"}</span>;
}

function endingOf(restart: RestartView): Ending | null {
  if (restart.kind === "ready") return { id: restart.id, ok: true, text: "The agent runs again." };
  if (restart.kind !== "failed") return null;
  return { id: restart.id, ok: false, text: failureText(restart) };
}
