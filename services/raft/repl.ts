/** @module REPL commands: `fleet groups | group <n> | session <id> | status`. */
import type { ServiceBroker } from "moleculer";
import { errorCode } from "../../lib/errors.ts";
import { groupName, groupOf, isSessionId } from "../../lib/ids.ts";
import type { Session } from "../conversations/contract.ts";
import type { GroupDetail } from "./contract.ts";
import type { FleetStatus } from "./ops.service.ts";

const USAGE = `Usage:
  fleet status          nodes, engine, and how many groups each node leads
  fleet groups          every group with its leader, applied and archived index
  fleet group <n>       one group on every node: role, epoch, index, state digest, engine health
  fleet session <id>    a session, its group and who leads it`;

/** What the REPL prints; a line a string. Throws nothing that a wrong argument causes. */
export async function runFleetCommand(
  broker: ServiceBroker,
  what: string,
  id: string | undefined,
): Promise<string> {
  switch (what) {
    case "status":
      return showStatus(await status(broker));
    case "groups":
      return showGroups(await status(broker));
    case "group":
      return showGroup(broker, id);
    case "session":
      return showSession(broker, id);
    default:
      return USAGE;
  }
}

function status(broker: ServiceBroker): Promise<FleetStatus> {
  return broker.call<FleetStatus, object>("fleet.ops.status", {}, { nodeID: broker.nodeID });
}

function showStatus(status: FleetStatus): string {
  const { mode, engine, groups, nodes, leaders, problems, resident_sessions } = status;
  const led = leaders.filter((leader) => leader !== null).length;
  return [
    `${mode} mode, ${engine.kind} engine ${engine.connected ? "connected" : "NOT connected"} (${engine.detail})`,
    ...[...engine.warnings, ...problems].map((warning) => `warning: ${warning}`),
    `${led} of ${groups} groups have a leader, ${resident_sessions} sessions resident`,
    ...nodes.map(
      ({ id, available, draining, leads, follows, url }) =>
        `${id.padEnd(20)} ${available ? (draining ? "draining" : "up") : "DOWN"}  leads ${String(leads).padStart(3)}, follows ${String(follows).padStart(3)}  ${url ?? ""}`,
    ),
  ].join("\n");
}

function showGroups({ leaders, applied, archived }: FleetStatus): string {
  return leaders
    .map(
      (leader, group) =>
        `${groupName(group)}  ${(leader ?? "no leader").padEnd(20)} index ${applied[group] ?? "?"}, archived ${archived[group] ?? "?"}`,
    )
    .join("\n");
}

async function showGroup(broker: ServiceBroker, id: string | undefined): Promise<string> {
  const { groups, nodes } = await status(broker);
  const group = Number(id?.replace(/^g/, ""));
  if (!Number.isInteger(group) || group < 0 || group >= groups) {
    return `There is no group "${id ?? ""}": give a number from 0 to ${groups - 1}.`;
  }
  const details = await Promise.all(
    nodes.map(async (node) => {
      const detail = await broker
        .call<GroupDetail | null, object>(
          "raft.topology.group",
          { group },
          { nodeID: node.id, timeout: 2000 },
        )
        .catch(() => null);
      return { node: node.id, detail };
    }),
  );
  const health = details.find(({ detail }) => detail?.health)?.detail?.health;
  return [
    ...details.map(({ node, detail }) =>
      detail
        ? `${node.padEnd(20)} ${detail.role.padEnd(10)} epoch ${detail.epoch}  index ${detail.applied}, archived ${detail.archived}  sessions ${detail.sessions}  digest ${detail.digest.slice(0, 16)}${[detail.problem, detail.archive_problem].map((problem) => (problem ? `  ${problem}` : "")).join("")}`
        : `${node.padEnd(20)} no copy`,
    ),
    health
      ? `log: ${health.replicas.length} of ${health.wanted} copies${health.leader ? `, led by ${health.leader}` : ""}, ${health.bytes} bytes; ${health.replicas.map(({ name, current, lag }) => `${name} ${current ? "current" : `${lag} behind`}`).join(", ")}`
      : "log: not reachable",
  ].join("\n");
}

async function showSession(broker: ServiceBroker, id: string | undefined): Promise<string> {
  if (!id || !isSessionId(id)) return `"${id ?? ""}" is not a session id: 1 to 64 letters, digits, - or _.`;
  const { groups, leaders } = await status(broker);
  const group = groupOf(id, groups);
  const place = `group ${group}, led by ${leaders[group] ?? "nobody"}`;
  try {
    const session = await broker.call<Session, object>("sessions.get", { id });
    return `${JSON.stringify(session, null, 2)}\n${place}`;
  } catch (error) {
    return errorCode(error) === "session_not_found" ? `No session "${id}" (${place}).` : String(error);
  }
}

/** The command for the Moleculer REPL. */
export const fleetCommands = [
  {
    command: "fleet <what> [id]",
    description: "The fleet runtime: fleet status | groups | group <n> | session <id>",
    alias: null,
    options: [],
    parse: null,
    allowUnknownOptions: false,
    async action(broker: ServiceBroker, args: unknown) {
      const { what, id } = args as { what: string; id?: string };
      process.stdout.write(`${await runFleetCommand(broker, what, id)}\n`);
    },
  },
];
