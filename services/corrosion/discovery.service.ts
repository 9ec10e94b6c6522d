/** @module Which nodes there should be: by the DNS of Fly, or in development by their number. */
import type { Context, Service } from "moleculer";
import { systemClock } from "../../lib/clock.ts";
import type { ConsoleConfig } from "../../lib/console-config.ts";
import { regionOf } from "../../lib/regions.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { defineService } from "../../lib/service.ts";
import type { DiscoveredNode, Discovery } from "./contract.ts";
import { Directory } from "./discovery/directory.ts";
import { LookupFailed, lookUp } from "./discovery/lookup.ts";

const LIMIT_MS = 5000;

interface Settings {
  /** Name servers, each `address` or `address:port`; null: those of the system. */
  readonly servers: readonly string[] | null;
  /** How long the DNS may take. */
  readonly limitMs: number;
}

const settings: Settings = { servers: null, limitMs: LIMIT_MS };

type DiscoveryService = Service<Settings> & { directory: Directory };

export default defineService<DiscoveryService>({
  name: "corrosion.discovery",

  settings: { ...settings },

  actions: {
    /** What is known, with its age; never waits for the DNS: `Discovery`. */
    get: {
      params: {},
      handler(): Discovery {
        return this.directory.get();
      },
    },

    /** Looks now, or joins who does: `Discovery`. */
    refresh: {
      params: {},
      handler(): Promise<Discovery> {
        return this.directory.refresh();
      },
    },
  },

  events: {
    "$broker.started"(_ctx: Context<never>) {
      // So that the first reader finds something.
      this.directory.get();
    },
  },

  created() {
    const config = runtimeOf(this.broker).config.console;
    const { limitMs, servers } = this.settings;
    this.directory = new Directory({
      source: config.environment === "prod" ? "dns" : "development",
      clock: systemClock,
      ttlMs: config.dnsTtlMs,
      find: async (signal) => {
        if (config.environment !== "prod") return developmentNodes(config);
        const app = config.fly.appName;
        if (app === null) throw new LookupFailed("FLY_APP_NAME is not set: nodes are known by the bus alone");
        return lookUp({ app, servers, limitMs, signal });
      },
    });
  },

  async stopped() {
    await this.directory.stop();
  },
});

/** Nodes 1 to CLUSTER_SIZE, by the names that they have in this environment. */
function developmentNodes({ clusterSize, environment }: ConsoleConfig): DiscoveredNode[] {
  return Array.from({ length: clusterSize }, (_, i) => {
    const nodeId = `${environment}-node${i + 1}`;
    return { node_id: nodeId, region: regionOf(nodeId), machine: null };
  });
}
