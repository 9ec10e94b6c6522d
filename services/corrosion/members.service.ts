/** @module Who is in the cluster, as this node's agent sees it, and where nodes see it differently. */
import type { Context, Service } from "moleculer";
import { systemClock } from "../../lib/clock.ts";
import { asAgentFailure } from "../../lib/corrosion/failures.ts";
import { clientOf, ownAgent, tomlOf } from "../../lib/corrosion/own-agent.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { defineService } from "../../lib/service.ts";
import { corrosionLifecycle } from "../../mixins/corrosion-lifecycle.ts";
import type {
  AgentStatus,
  CorrosionTables,
  Disagreements,
  IdentityMap,
  Membership,
  MemberView,
} from "./contract.ts";
import { CLI_LIMIT_MS } from "./members/cli.ts";
import { commandLineOf } from "./members/command-line.ts";
import { type Fetched, fetchMembers } from "./members/fetch.ts";
import { askObservers, corrosionTables } from "./members/look.ts";
import { disagreements } from "./members/matrix.ts";
import { Roster } from "./members/roster.ts";

const FIRST_MS = 1000;
/** The command line starts a process each time: it is asked so many times more seldom. */
const CLI_FACTOR = 10;

/** How long a run of the agent's command line may take. */
const settings = { cliLimitMs: CLI_LIMIT_MS };

type MembersService = Service<typeof settings> & {
  roster: Roster;
  /** As it was last read; stays while the agent is away. */
  map: IdentityMap;
};

export default defineService<MembersService>({
  name: "corrosion.members",

  mixins: [
    corrosionLifecycle<MembersService>({
      paused() {
        this.roster.pause();
      },
      resumed() {
        this.roster.resume();
      },
    }),
  ],

  settings,

  actions: {
    /** The last good members with their age, and what went wrong since: `Membership`. */
    get: {
      params: {},
      handler(): Membership {
        return this.roster.membership();
      },
    },

    /** Asks the agent now, or joins who does: `Membership`. */
    refresh: {
      params: {},
      handler(): Promise<Membership> {
        return this.roster.refresh();
      },
    },

    /** What this node thinks of every actor: `MemberView`. */
    view: {
      params: {},
      handler(): MemberView {
        return this.roster.view();
      },
    },

    /** Who thinks what of whom, all nodes asked: `Disagreements`. */
    disagreements: {
      params: {},
      async handler(): Promise<Disagreements> {
        const [observers, map] = await Promise.all([askObservers(this.broker), identityMap(this)]);
        return disagreements(observers, map, systemClock());
      },
    },

    /** The agent's own tables: `CorrosionTables`. Fails whole when a part of it fails. */
    corrosion: {
      params: {},
      async handler(): Promise<CorrosionTables> {
        const [agent, map] = await Promise.all([ownAgent(this.broker), identityMap(this)]);
        try {
          return await corrosionTables(await clientOf(this.broker, agent), map);
        } catch (error) {
          throw asAgentFailure(error);
        }
      },
    },
  },

  events: {
    "$broker.started"(_ctx: Context<never>) {
      this.roster.start(FIRST_MS);
    },

    agent_state({ params: { node_id, state } }: Context<AgentStatus>) {
      if (node_id === this.broker.nodeID && state === "running") this.roster.agentRuns();
    },
  },

  created() {
    const { membersRefreshMs } = runtimeOf(this.broker).config.console;
    this.map = {};
    this.roster = new Roster({
      nodeId: this.broker.nodeID,
      clock: systemClock,
      refreshMs: membersRefreshMs,
      cliRefreshMs: membersRefreshMs * CLI_FACTOR,
      fetch: (signal) => fetchOwn(this, signal),
      changed: (membership) => tell(this, membership),
    });
  },

  async stopped() {
    await this.roster.stop();
  },
});

async function fetchOwn(service: MembersService, signal: AbortSignal): Promise<Fetched> {
  const { broker, settings } = service;
  const [agent, map] = await Promise.all([ownAgent<AgentStatus>(broker), identityMap(service)]);
  const [client, toml] = await Promise.all([clientOf(broker, agent), tomlOf(agent)]);
  return fetchMembers({
    nodeId: broker.nodeID,
    agent,
    client,
    map,
    bootstrapHosts: toml?.bootstrap.length ?? 0,
    commandLine: commandLineOf(agent),
    signal,
    cliLimitMs: settings.cliLimitMs,
  });
}

/** Members without their nodes' names are better than none: what hides the names is what `corrosion.identity` shows. */
async function identityMap(service: MembersService): Promise<IdentityMap> {
  const { broker, logger } = service;
  try {
    service.map = await broker.call<IdentityMap, object>(
      "corrosion.identity.map",
      {},
      { nodeID: broker.nodeID },
    );
    service.roster.rename(service.map);
  } catch (error) {
    logger.debug("actors keep the names that they had", { error: String(error) });
  }
  return service.map;
}

function tell(service: MembersService, membership: Membership): void {
  service.broker.broadcastLocal("cluster_membership", membership).catch((error: unknown) => {
    service.logger.warn("an event was not handled", { event: "cluster_membership", error: String(error) });
  });
}
