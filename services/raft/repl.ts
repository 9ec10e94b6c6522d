/** @module REPL commands: `fleet status | groups | group <n> | session <id> | drain <node> | undrain <node>`. */
import type { ServiceBroker } from "moleculer";
import { errorCode } from "../../lib/errors.ts";
import { groupName, groupOf, isSessionId } from "../../lib/ids.ts";
import type { Session } from "../conversations/contract.ts";
import { liveNodes } from "./cluster-view.ts";
import type { GroupDetail } from "./contract.ts";
import type { FleetNode, FleetStatus } from "./fleet-status.ts";

export const FLEET_USAGE = `Usage:
  fleet status          nodes, engine, and how many groups each node leads
  fleet groups          every group with its leader, applied and archived index
  fleet group <n>       one group on every node: role, epoch, index, state digest, engine health
  fleet session <id>    a session, its group and who leads it
  fleet drain <node>    the node hands over what it leads, and ends
  fleet undrain <node>  takes that back, as long as the node still leads something; or ends a drain that stays`;

/** What a node may take to answer before another one is asked, or the command fails. */
const ANSWER_MS = 5000;

/** The command could not do what it was asked to; the message is for the person who typed it. */
export class FleetCommandFailed extends Error {
  override name = "FleetCommandFailed";
}

/**
 * Runs a command on a broker of the fleet, be it a node or not; returns what the REPL prints, a line a string.
 * Throws `FleetCommandFailed` for a wrong argument and for a fleet that does not answer.
 */
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
    case "drain":
      return drain(broker, id);
    case "undrain":
      return undrain(broker, id);
    default:
      throw new FleetCommandFailed(FLEET_USAGE);
  }
}

/** The fleet as this node sees it; where this is none, as the first one sees it that answers. */
async function status(broker: ServiceBroker): Promise<FleetStatus> {
  const nodes = broker.getLocalService("fleet.ops") ? [broker.nodeID] : liveNodes(broker);
  let reason = "";
  for (const nodeID of nodes) {
    try {
      return await broker.call<FleetStatus, object>("fleet.ops.status", {}, { nodeID, timeout: ANSWER_MS });
    } catch (error) {
      reason = ` ${nodeID}: ${sentence(error)}`;
    }
  }
  throw new FleetCommandFailed(`No node of the fleet answers.${reason}`);
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
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
    throw new FleetCommandFailed(`There is no group "${id ?? ""}": give a number from 0 to ${groups - 1}.`);
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
  if (!id || !isSessionId(id)) {
    throw new FleetCommandFailed(`"${id ?? ""}" is not a session id: 1 to 64 letters, digits, - or _.`);
  }
  const { groups, leaders } = await status(broker);
  const group = groupOf(id, groups);
  const place = `group ${group}, led by ${leaders[group] ?? "nobody"}`;
  try {
    const session = await broker.call<Session, object>("sessions.get", { id }, { timeout: ANSWER_MS });
    return `${JSON.stringify(session, null, 2)}\n${place}`;
  } catch (error) {
    const known = errorCode(error) === "session_not_found";
    throw new FleetCommandFailed(known ? `No session "${id}" (${place}).` : `${sentence(error)} (${place})`, {
      cause: error,
    });
  }
}

async function drain(broker: ServiceBroker, id: string | undefined): Promise<string> {
  const { nodes } = await status(broker);
  const node = nodeNamed(nodes, id);
  if (node.id === broker.nodeID) {
    throw new FleetCommandFailed(
      `This REPL is a part of ${node.id}: end it with Ctrl-C, or drain it from elsewhere.`,
    );
  }
  // One that was told to stay may be told to end.
  await ask(broker, "fleet.ops.drain", node);
  if (node.draining && node.leads > 0)
    return `${node.id} drains already, still leads ${node.leads} groups, and ends when they are handed over.`;
  if (node.draining) return `${node.id} leads nothing any more, and ends.`;
  const others = nodes.some(
    ({ id: other, available, draining }) => other !== node.id && available && !draining,
  );
  return others
    ? `${node.id} hands over the ${node.leads} groups that it leads, and ends then; "fleet status" shows how far it is.`
    : `${node.id} ends. No other node is there to take its groups over: they have no leader until one starts.`;
}

async function undrain(broker: ServiceBroker, id: string | undefined): Promise<string> {
  const node = nodeNamed((await status(broker)).nodes, id);
  if (!node.draining) return `${node.id} does not drain.`;
  await ask(broker, "fleet.ops.undrain", node);
  return `${node.id} takes groups again, unless it was to end and has handed over all of them already.`;
}

function nodeNamed(nodes: readonly FleetNode[], id: string | undefined): FleetNode {
  const node = nodes.find((candidate) => candidate.id === id);
  if (node) return node;
  throw new FleetCommandFailed(
    `There is no node "${id ?? ""}": give one of ${nodes.map((candidate) => candidate.id).join(", ")}.`,
  );
}

async function ask(broker: ServiceBroker, action: string, { id: nodeID }: FleetNode): Promise<void> {
  try {
    await broker.call(action, {}, { nodeID, timeout: ANSWER_MS });
  } catch (error) {
    throw new FleetCommandFailed(`${nodeID} does not do it: ${sentence(error)}`, { cause: error });
  }
}

/** The command for the Moleculer REPL. */
export const fleetCommands = [
  {
    command: "fleet <what> [id]",
    description:
      "The fleet: fleet status | groups | group <n> | session <id> | drain <node> | undrain <node>",
    alias: null,
    options: [],
    parse: null,
    allowUnknownOptions: false,
    async action(broker: ServiceBroker, args: unknown) {
      const { what, id } = args as { what: string; id?: string };
      process.stdout.write(`${await answer(broker, what, id)}\n`);
    },
  },
];

async function answer(broker: ServiceBroker, what: string, id: string | undefined): Promise<string> {
  try {
    return await runFleetCommand(broker, what, id);
  } catch (error) {
    if (error instanceof FleetCommandFailed) return error.message;
    throw error;
  }
}
