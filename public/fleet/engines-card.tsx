/** @module What the fleet runs on: log engine, bus, database, cache and agent. */
import type { ComponentChildren } from "preact";
import type { NodeFacts } from "../../services/corrosion/contract.ts";
import type { FleetNode, FleetStatus } from "../../services/raft/fleet-status.ts";
import { Badge } from "../components/badge.tsx";
import { ResourceCard } from "../components/card.tsx";
import { sentenceOf } from "../data/api-error.ts";
import type { Resource } from "../data/resource.ts";

export interface EnginesCardProps {
  readonly fleet: Resource<FleetStatus>;
  /** Null: not known yet. */
  readonly facts: NodeFacts | null;
}

export function EnginesCard({ fleet, facts }: EnginesCardProps) {
  return (
    <ResourceCard title="Engines" resource={fleet} lines={5}>
      {({ engine, node_id, nodes }) => (
        <dl class="grid grid-cols-[auto_1fr] items-baseline gap-x-4 gap-y-2 text-sm">
          <Engine name="Log">
            <Named name={engine.kind} />
            <Badge tone={engine.connected ? "good" : "bad"}>
              {engine.connected ? "connected" : "not connected"}
            </Badge>
            <p class="basis-full text-xs break-all text-muted">{engine.detail}</p>
          </Engine>
          <Engine name="Bus">
            <Named name={facts?.engines.bus ?? "–"} />
            {facts !== null && (
              <Badge tone={facts.bus_connected ? "good" : "bad"}>
                {facts.bus_connected ? "connected" : "not connected"}
              </Badge>
            )}
          </Engine>
          <Engine name="Archive">
            <Named name={facts === null ? "–" : `${facts.engines.database ?? "no"} database`} />
            <ArchiveBadge node={nodes.find(({ id }) => id === node_id)} />
          </Engine>
          <Engine name="Cache">
            <Named name={facts?.engines.cache ?? "–"} />
          </Engine>
          <Engine name="Agent">
            <Named
              name={facts === null ? "–" : (facts.engines.agent ?? (facts.has_agent ? "not known" : "none"))}
            />
          </Engine>
        </dl>
      )}
    </ResourceCard>
  );
}

function ArchiveBadge({ node }: { readonly node: FleetNode | undefined }) {
  if (node === undefined) return null;
  const problem = node.archive_problem;
  return (
    <>
      <Badge tone={problem === null ? "good" : "bad"}>
        {problem === null ? "connected" : "not connected"}
      </Badge>
      {problem !== null && <p class="basis-full text-xs break-words text-muted">{sentenceOf(problem)}</p>}
    </>
  );
}

function Named({ name }: { readonly name: string }) {
  return <span class="font-medium">{name}</span>;
}

function Engine({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <>
      <dt class="text-xs text-muted">{name}</dt>
      <dd class="flex min-w-0 flex-wrap items-center gap-x-2 gap-y-1">{children}</dd>
    </>
  );
}
