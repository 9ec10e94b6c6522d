/** @module What needs somebody, of both halves; a sentence in green when nothing does. */
import type { Member, NodeFacts } from "../../../services/corrosion/contract.ts";
import type { FleetStatus } from "../../../services/raft/fleet-status.ts";
import { Notice } from "../../components/notice.tsx";
import { sentenceOf } from "../../data/api-error.ts";
import { dataOf, type Resource } from "../../data/resource.ts";
import type { MembersAnswer } from "../../data/sourced.ts";
import { WarningList } from "../../fleet/warning-list.tsx";
import { type Warning, warningsOf } from "../../fleet/warnings.ts";
import { agentWarning, isSettling } from "./agent.ts";
import { memberState } from "./members.ts";

export interface AttentionProps {
  readonly fleet: Resource<FleetStatus>;
  readonly facts: Resource<NodeFacts>;
  readonly members: Resource<MembersAnswer>;
}

/** There from the beginning, so that the cards stay in their places. */
export function Attention({ fleet, facts, members }: AttentionProps) {
  const known = dataOf(fleet);
  if (known === null && fleet.kind === "error") {
    return <Notice tone="bad">How the fleet is cannot be said: the node does not show it.</Notice>;
  }
  if (known === null) return <Notice tone="plain">Looking at the fleet…</Notice>;
  const warnings = [...warningsOf(known), ...consoleWarnings(dataOf(facts), dataOf(members))];
  if (warnings.length > 0) return <WarningList warnings={warnings} />;
  return fleet.kind === "stale" ? (
    <Notice tone="warn">Nothing was wrong when this node answered last.</Notice>
  ) : (
    <Notice tone="good">
      Every group has a leader{dataOf(members)?.error === null && ", no agent is missed"}, and nothing needs
      attention.
    </Notice>
  );
}

/** The propagation's half, and the bus that both need. */
function consoleWarnings(facts: NodeFacts | null, answer: MembersAnswer | null): readonly Warning[] {
  const warnings: Warning[] = [];
  const members: readonly Member[] = answer?.data.members ?? [];
  const remembered = answer?.error ?? null;
  if (facts?.bus_connected === false) {
    warnings.push({ tone: "bad", text: "This node cannot reach the others over the bus." });
  }
  const agent = facts?.has_agent ? agentWarning(facts.agent) : null;
  if (agent !== null) warnings.push(agent);
  else if (remembered !== null && facts?.has_agent && !isSettling(facts)) {
    warnings.push({ tone: "warn", text: `The members are those last known. ${sentenceOf(remembered)}` });
  }
  const named = (wanted: "Down" | "Suspect") =>
    members
      .filter((member) => memberState(member) === wanted)
      .map(({ address, node_id }) => node_id ?? address)
      .join(", ");
  const [down, suspected] = [named("Down"), named("Suspect")];
  if (down !== "") warnings.push({ tone: "bad", text: `Agents that are down: ${down}.` });
  if (suspected !== "") warnings.push({ tone: "warn", text: `Agents that are suspected: ${suspected}.` });
  return warnings;
}
