/** @module How both halves are, in six numbers that are read from afar. */
import type { NodeFacts } from "../../../services/corrosion/contract.ts";
import type { FleetStatus } from "../../../services/raft/fleet-status.ts";
import { dataOf, type Resource, type ResourceState } from "../../data/resource.ts";
import type { MembersAnswer } from "../../data/sourced.ts";
import { countText } from "../../data/wording.ts";
import { Figure } from "../../fleet/figure.tsx";
import { archiveLagOf, groupName } from "../../fleet/leaders.ts";
import { agentsInWords, isSettling } from "./agent.ts";

export interface FiguresProps {
  readonly fleet: Resource<FleetStatus>;
  readonly facts: Resource<NodeFacts>;
  readonly members: Resource<MembersAnswer>;
}

/** What a resource that has no data yet says of itself. */
const waiting = ({ kind }: ResourceState<unknown>) => (kind === "error" ? "not known" : "asking the node…");

export function Figures({ fleet, facts, members }: FiguresProps) {
  return (
    <div class="grid grid-cols-2 gap-3 md:grid-cols-3 xl:grid-cols-6">
      <FleetFigures fleet={fleet} />
      <BusFigure facts={facts} />
      <AgentsFigure facts={facts} members={members} />
    </div>
  );
}

function FleetFigures({ fleet }: Pick<FiguresProps, "fleet">) {
  const known = dataOf(fleet);
  if (known === null) {
    return (
      <>
        {["Nodes", "Groups with a leader", "Log engine", "Archive lag"].map((title) => (
          <Figure key={title} title={title} value="–" href="/groups">
            {waiting(fleet)}
          </Figure>
        ))}
      </>
    );
  }
  const { engine, groups, leaders, nodes } = known;
  const available = nodes.filter((node) => node.available);
  const draining = available.filter((node) => node.draining).length;
  const led = leaders.filter((leader) => leader !== null).length;
  const { entries, worst } = archiveLagOf(known);
  const cutOff = nodes.some(({ archive_problem }) => archive_problem !== null);
  const warned = engine.warnings.length > 0;
  return (
    <>
      <Figure
        title="Nodes"
        href="/groups"
        value={`${available.length} / ${nodes.length}`}
        tone={available.length < nodes.length ? "bad" : draining > 0 ? "warn" : "plain"}
      >
        {available.length < nodes.length
          ? "not all answer"
          : draining > 0
            ? `${draining} out of placement`
            : "all take groups"}
      </Figure>
      <Figure
        title="Groups with a leader"
        href="/groups"
        value={`${led} / ${groups}`}
        tone={led < groups ? "bad" : "plain"}
      >
        {led < groups ? "the others take no messages" : "every session takes messages"}
      </Figure>
      <Figure
        title="Log engine"
        href="/groups"
        value={engine.connected ? "connected" : "lost"}
        tone={!engine.connected ? "bad" : warned ? "warn" : "plain"}
      >
        {engine.kind}
        {warned && `, ${countText(engine.warnings.length, "warning")}`}
      </Figure>
      <Figure
        title="Archive lag"
        href="/groups"
        value={entries.toLocaleString("en")}
        tone={cutOff ? "bad" : "plain"}
      >
        {cutOff && "the archive cannot be used; "}
        {worst === null
          ? "all that was written is archived"
          : `log entries; most in ${groupName(worst.group)}: ${worst.entries.toLocaleString("en")}`}
      </Figure>
    </>
  );
}

function BusFigure({ facts }: Pick<FiguresProps, "facts">) {
  const known = dataOf(facts);
  return (
    <Figure
      title="Bus"
      href="/node"
      value={known === null ? "–" : known.bus_connected ? "connected" : "lost"}
      tone={known !== null && !known.bus_connected ? "bad" : "plain"}
    >
      {known === null ? waiting(facts) : known.engines.bus}
    </Figure>
  );
}

function AgentsFigure({ facts, members }: Pick<FiguresProps, "facts" | "members">) {
  if (dataOf(facts)?.has_agent === false) {
    return (
      <Figure title="Agents" href="/cluster" value="off">
        this node runs none
      </Figure>
    );
  }
  const [answer, now] = [dataOf(members), dataOf(facts)];
  if (answer === null) {
    return (
      <Figure title="Agents" href="/cluster" value="–">
        {waiting(members)}
      </Figure>
    );
  }
  const { text, tone, value } = agentsInWords(answer, now !== null && isSettling(now));
  return (
    <Figure title="Agents" href="/cluster" value={value} tone={tone}>
      {text}
    </Figure>
  );
}
