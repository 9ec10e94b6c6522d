/** @module One look at all that the node's agent says of its members. */
import { actorIdOf } from "../../../lib/actor-ids.ts";
import { AdminRefusal, askAdmin } from "../../../lib/corrosion/client/admin.ts";
import { AgentError } from "../../../lib/corrosion/client/errors.ts";
import type { CorrosionClient } from "../../../lib/corrosion/client/http.ts";
import type { AgentStatus, IdentityMap, Member } from "../contract.ts";
import { type CommandLine, clusterMembers } from "./cli.ts";
import { hasMet, mergeMembers } from "./merge.ts";
import { address, type MemberReply, memberReply, type StateReply, stateReply } from "./replies.ts";
import { MEMBERS_SQL, stateOfRow } from "./tables.ts";

export interface FetchEnvironment {
  readonly nodeId: string;
  readonly agent: AgentStatus;
  readonly client: CorrosionClient;
  readonly map: IdentityMap;
  /** Hosts that the agent asks for the cluster, as far as this node knows. */
  readonly bootstrapHosts: number;
  /** The agent's command line; null where there is none. */
  readonly commandLine: CommandLine | null;
  readonly signal: AbortSignal;
  /** How long a run of the command line may take. */
  readonly cliLimitMs: number;
}

export interface Fetched {
  readonly actorId: string;
  readonly members: readonly Member[];
  /** `table`: nobody but the agent's own table could be asked, which is up to 60 s old. */
  readonly source: "admin" | "cli" | "table";
  /** False while the cluster still meets, or somebody in it has no name yet. */
  readonly met: boolean;
}

interface Replies {
  readonly states: readonly StateReply[];
  readonly members: readonly MemberReply[];
  readonly source: Fetched["source"];
}

const SELF_SQL = "SELECT crsql_site_id()";

/**
 * Throws when a part of it fails: a list that lacks something would look like a cluster that does. The error's message
 * is one sentence.
 */
export async function fetchMembers(env: FetchEnvironment): Promise<Fetched> {
  const [actorId, { states, members, source }] = await Promise.all([
    ownActorId(env.client, env.signal),
    replies(env),
  ]);
  const self = { id: actorId, nodeId: env.nodeId, address: address(env.agent.gossip_addr ?? "") };
  const merged = mergeMembers({ states, members, self, map: env.map });
  return { actorId, source, members: merged, met: hasMet(merged, env.bootstrapHosts) };
}

/** The agent's id as a hyphenated UUID. Throws `AgentError`. */
export async function ownActorId(client: CorrosionClient, signal?: AbortSignal): Promise<string> {
  const { rows } = await client.query(SELF_SQL, signal ? { signal } : {});
  const id = actorIdOf(rows[0]?.[0]);
  if (id === null)
    throw new AgentError("protocol", `the agent at ${client.agent} answered crsql_site_id() with no id`);
  return id;
}

/** The admin socket, else the command line; of an agent that somebody else runs, else its table. */
async function replies(env: FetchEnvironment): Promise<Replies> {
  const { agent, commandLine, signal } = env;
  let problem: unknown = new AgentError("unreachable", "the agent has no admin socket that this node knows");
  if (agent.admin_path !== null) {
    try {
      return await fromAdmin(agent.admin_path);
    } catch (error) {
      if (!(error instanceof AgentError || error instanceof AdminRefusal)) throw error;
      problem = error;
    }
  }
  if (agent.kind === "external")
    return { states: await tableStates(env.client, signal), members: [], source: "table" };
  if (commandLine === null) throw problem;
  // The command says nothing of states.
  const [values, states] = await Promise.all([
    clusterMembers(commandLine, signal, env.cliLimitMs),
    tableStates(env.client, signal),
  ]);
  return { states, members: values.map(memberReply), source: "cli" };
}

async function fromAdmin(path: string): Promise<Replies> {
  const [states = [], members = []] = await askAdmin({ path }, [
    { Cluster: "MembershipStates" },
    { Cluster: "Members" },
  ]);
  return { states: states.map(stateReply), members: members.map(memberReply), source: "admin" };
}

async function tableStates(client: CorrosionClient, signal: AbortSignal): Promise<StateReply[]> {
  const { rows } = await client.query(MEMBERS_SQL, { signal });
  return rows.map(stateOfRow).filter((state) => state !== null);
}
