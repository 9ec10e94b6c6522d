/** @module The propagation's half: this node's Corrosion agent, and the members that it knows. */
import type { NodeFacts } from "../../../services/corrosion/contract.ts";
import { Badge } from "../../components/badge.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { Fact, Facts, More } from "../../components/facts.tsx";
import { AGENT_TONES } from "../../components/state-tones.ts";
import { sentenceOf } from "../../data/api-error.ts";
import { dataOf, type Resource } from "../../data/resource.ts";
import type { MembersAnswer } from "../../data/sourced.ts";
import { countByState, MEMBER_TONES } from "./members.ts";

export interface AgentsCardProps {
  readonly facts: Resource<NodeFacts>;
  readonly members: Resource<MembersAnswer>;
}

export function AgentsCard({ facts, members }: AgentsCardProps) {
  const known = dataOf(facts);
  return (
    <ResourceCard
      title="Agents"
      resource={members}
      lines={3}
      at={({ last_updated: at }) => at}
      actions={<More href="/cluster">Cluster</More>}
    >
      {({ data, error }) => (
        <div class="space-y-3">
          <Facts>
            <Fact name="Own">{known === null ? "–" : <OwnAgent facts={known} />}</Fact>
            <Fact name="Members">
              {data.members.length}
              {countByState(data.members).map(([state, count]) => (
                <Badge key={state} tone={error === null ? MEMBER_TONES[state] : "plain"}>
                  {count} {error !== null && "was "}
                  {state}
                </Badge>
              ))}
            </Fact>
            <Fact name="Regions">
              {data.regions.length === 0 ? "–" : <span class="break-words">{data.regions.join(", ")}</span>}
            </Fact>
          </Facts>
          {error !== null && <p class="text-xs text-bad">{sentenceOf(error)}</p>}
        </div>
      )}
    </ResourceCard>
  );
}

function OwnAgent({ facts: { agent, has_agent } }: { readonly facts: NodeFacts }) {
  if (agent === null) return has_agent ? <Badge tone="bad">unknown</Badge> : <Badge>off</Badge>;
  return (
    <>
      <Badge tone={AGENT_TONES[agent.state]} {...(agent.reason !== null && { title: agent.reason })}>
        {agent.state}
      </Badge>
      <span class="text-xs font-normal text-muted">{agent.kind}</span>
    </>
  );
}
