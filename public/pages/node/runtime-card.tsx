/** @module What the node's process is, what it runs on, and its services. */
import type { NodeFacts } from "../../../services/corrosion/contract.ts";
import { Age } from "../../components/age.tsx";
import { Badge } from "../../components/badge.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { Fact, Facts } from "../../components/facts.tsx";
import { Notice } from "../../components/notice.tsx";
import { bytesText } from "../../data/bytes.ts";
import type { Resource } from "../../data/resource.ts";
import { countText } from "../../data/wording.ts";

export interface FactsProps {
  readonly facts: Resource<NodeFacts>;
}

export function RuntimeCard({ facts }: FactsProps) {
  return (
    <ResourceCard title="Runtime" resource={facts} lines={12}>
      {(node) => (
        <div class="space-y-4">
          {node.problems.map((problem) => (
            <Notice key={problem} tone="warn">
              {problem}
            </Notice>
          ))}
          <Process node={node} />
        </div>
      )}
    </ResourceCard>
  );
}

function Process({ node }: { readonly node: NodeFacts }) {
  const { engines, memory, ports, versions } = node;
  return (
    <Facts>
      <Fact name="Node">
        <Mono>{node.node_id}</Mono>
        {node.region !== node.node_id && <span class="font-normal text-muted">{node.region}</span>}
      </Fact>
      <Fact name="Environment">
        {node.environment} <Badge>{node.mode}</Badge>
      </Fact>
      <Fact name="Started">
        <Age at={node.started_at} />
        <span class="font-normal text-muted">pid {node.pid}</span>
      </Fact>
      <Fact name="Versions">
        <span class="font-normal">
          Fleetport {versions.fleetport}, Node.js {versions.node}, Moleculer {versions.moleculer}
        </span>
      </Fact>
      <Fact name="Memory">
        {bytesText(memory.rss_bytes)}
        <span class="font-normal text-muted">
          heap {bytesText(memory.heap_used_bytes)} of {bytesText(memory.heap_total_bytes)}
        </span>
      </Fact>
      <Fact name="Engines">
        <span class="font-normal">
          log {engines.log}, bus {engines.bus}, database {engines.database ?? "none"}, cache {engines.cache},
          agent {engines.agent ?? (node.has_agent ? "not known" : "none")}
        </span>
      </Fact>
      <Fact name="Bus">
        <Badge tone={node.bus_connected ? "good" : "bad"}>
          {node.bus_connected ? "connected" : "not connected"}
        </Badge>
      </Fact>
      <Fact name="Ports">
        <span class="font-normal">
          web {ports.web}, ack {ports.ack}, Corrosion API {ports.corrosion_api}, gossip{" "}
          {ports.corrosion_gossip}
        </span>
      </Fact>
      <Fact name="Acks at">
        <Mono>{node.ack_endpoint ?? "–"}</Mono>
      </Fact>
      <Fact name="Leads">
        {countText(node.leads, "group")}
        <span class="font-normal text-muted">keeps a copy of {node.follows.toLocaleString("en")} more</span>
      </Fact>
    </Facts>
  );
}

function Mono({ children }: { readonly children: string }) {
  return <span class="font-mono text-xs break-all">{children}</span>;
}
