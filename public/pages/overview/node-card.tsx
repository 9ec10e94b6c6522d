/** @module This node: whether it takes traffic, its bus, and since when it runs. */
import type { NodeFacts } from "../../../services/corrosion/contract.ts";
import { Age } from "../../components/age.tsx";
import { Badge } from "../../components/badge.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { Fact, Facts, More } from "../../components/facts.tsx";
import type { Resource } from "../../data/resource.ts";
import { ReadinessBadge } from "../../fleet/node-state.tsx";
import type { Readied } from "../../fleet/readiness.ts";

export interface NodeCardProps {
  readonly facts: Resource<NodeFacts>;
  readonly readiness: Readied;
}

export function NodeCard({ facts, readiness }: NodeCardProps) {
  return (
    <ResourceCard title="This node" resource={facts} lines={5} actions={<More href="/node">Node</More>}>
      {(node) => (
        <Facts>
          <Fact name="Name">
            <span class="font-mono text-xs">{node.node_id}</span>
            {node.region !== node.node_id && (
              <span class="text-xs font-normal text-muted">{node.region}</span>
            )}
          </Fact>
          <Fact name="Traffic">
            <ReadinessBadge readiness={readiness} />
          </Fact>
          <Fact name="Bus">
            {node.engines.bus}
            <Badge tone={node.bus_connected ? "good" : "bad"}>
              {node.bus_connected ? "connected" : "not connected"}
            </Badge>
          </Fact>
          <Fact name="Started">
            <Age at={node.started_at} />
          </Fact>
          <Fact name="Version">{node.versions.fleetport}</Fact>
        </Facts>
      )}
    </ResourceCard>
  );
}
