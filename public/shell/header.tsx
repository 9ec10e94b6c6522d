/** @module The top line: whose page this is, whether its bus and its agent live, and the theme. */
import type { NodeFacts } from "../../services/corrosion/contract.ts";
import { Lamp } from "../components/badge.tsx";
import { AGENT_TONES } from "../components/state-tones.ts";
import { dataOf, type Resource } from "../data/resource.ts";
import { useNodeFacts } from "./node-facts.ts";
import { ThemeToggle } from "./theme-toggle.tsx";

export function Header() {
  const resource = useNodeFacts();
  const facts = dataOf(resource);
  return (
    <header class="flex flex-wrap items-center gap-x-4 gap-y-1 px-3 pt-2 pb-1 sm:px-5">
      <a href="/overview" aria-label="Fleetport" class="flex items-center gap-2 rounded text-ink">
        <img src="/favicon.svg" alt="" width="22" height="22" />
        <span class="hidden text-base font-semibold tracking-tight sm:inline">Fleetport</span>
      </a>
      <span class="min-w-16 font-mono text-xs text-muted" data-node-id>
        {facts?.node_id ?? "…"}
      </span>
      <div class="ml-auto flex items-center gap-3 sm:gap-4">
        <BusLamp resource={resource} />
        <AgentLamp resource={resource} />
        <ThemeToggle />
      </div>
    </header>
  );
}

function BusLamp({ resource }: { readonly resource: Resource<NodeFacts> }) {
  const facts = dataOf(resource);
  if (facts === null || resource.kind === "stale") {
    return <Lamp tone={resource.kind === "loading" ? "plain" : "bad"} label="Bus" state="unknown" />;
  }
  return facts.bus_connected ? (
    <Lamp tone="good" label="Bus" state="up" title="This node is connected to the others." />
  ) : (
    <Lamp tone="bad" label="Bus" state="down" title="This node cannot reach the others over the bus." />
  );
}

function AgentLamp({ resource }: { readonly resource: Resource<NodeFacts> }) {
  const facts = dataOf(resource);
  if (facts === null || resource.kind === "stale") {
    return <Lamp tone={resource.kind === "loading" ? "plain" : "bad"} label="Agent" state="unknown" />;
  }
  const { agent } = facts;
  if (!facts.has_agent)
    return <Lamp tone="plain" label="Agent" state="off" title="This node runs no Corrosion agent." />;
  if (agent === null)
    return (
      <Lamp tone="bad" label="Agent" state="unknown" title="This node could not ask its agent's actor." />
    );
  const title = agent.reason ?? `${agent.kind} agent, since ${agent.since}`;
  return <Lamp tone={AGENT_TONES[agent.state]} label="Agent" state={agent.state} title={title} />;
}
