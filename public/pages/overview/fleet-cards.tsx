/** @module The fleet's half: nodes and groups, the log engine, and how far the archive is. */
import type { FleetStatus } from "../../../services/raft/fleet-status.ts";
import { Badge } from "../../components/badge.tsx";
import { ResourceCard } from "../../components/card.tsx";
import { Fact, Facts, More } from "../../components/facts.tsx";
import type { Resource } from "../../data/resource.ts";
import { countText } from "../../data/wording.ts";
import { archiveLagOf, groupName } from "../../fleet/leaders.ts";

interface CardProps {
  readonly fleet: Resource<FleetStatus>;
}

const toGroups = <More href="/groups">Groups</More>;

export function FleetCard({ fleet }: CardProps) {
  return (
    <ResourceCard title="Fleet" resource={fleet} lines={5} actions={toGroups}>
      {({ mode, nodes, leaders, groups, resident_sessions: sessions }) => {
        const led = leaders.filter((leader) => leader !== null).length;
        const available = nodes.filter((node) => node.available).length;
        const draining = nodes.filter((node) => node.draining).length;
        return (
          <Facts>
            <Fact name="Mode">{mode}</Fact>
            <Fact name="Nodes">
              {available} of {nodes.length}
              <Badge tone={available === nodes.length ? "good" : "bad"}>
                {available === nodes.length ? "all available" : "not all answer"}
              </Badge>
              {draining > 0 && <Badge tone="warn">{draining} draining</Badge>}
            </Fact>
            <Fact name="Groups led">
              {led} of {groups}
              <Badge tone={led === groups ? "good" : "bad"}>
                {led === groups ? "all" : `${groups - led} without a leader`}
              </Badge>
            </Fact>
            <Fact name="Sessions">{sessions.toLocaleString("en")} in RAM</Fact>
          </Facts>
        );
      }}
    </ResourceCard>
  );
}

export function EngineCard({ fleet }: CardProps) {
  return (
    <ResourceCard title="Log engine" resource={fleet} lines={3} actions={toGroups}>
      {({ engine }) => (
        <Facts>
          <Fact name="Engine">{engine.kind}</Fact>
          <Fact name="State">
            <Badge tone={engine.connected ? "good" : "bad"}>
              {engine.connected ? "connected" : "not connected"}
            </Badge>
            {engine.warnings.length > 0 && (
              <Badge tone="warn">{countText(engine.warnings.length, "warning")}</Badge>
            )}
          </Fact>
          <Fact name="Where">
            <span class="text-xs font-normal break-all text-muted">{engine.detail}</span>
          </Fact>
        </Facts>
      )}
    </ResourceCard>
  );
}

export function ArchiveCard({ fleet }: CardProps) {
  return (
    <ResourceCard title="Archive" resource={fleet} lines={3} actions={toGroups}>
      {(status) => {
        const { entries, worst } = archiveLagOf(status);
        return (
          <Facts>
            <Fact name="Lag">{countText(entries, "entry", "entries")}</Fact>
            <Fact name="Most in">
              {worst === null ? (
                <span class="font-normal text-muted">no group: all is archived</span>
              ) : (
                <>
                  <span class="font-mono text-xs">{groupName(worst.group)}</span>
                  {countText(worst.entries, "entry", "entries")}
                </>
              )}
            </Fact>
          </Facts>
        );
      }}
    </ResourceCard>
  );
}
