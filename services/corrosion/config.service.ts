/** @module The node's Corrosion configuration: what it is, and jobs that change it and restart the agent. */
import { randomUUID } from "node:crypto";
import type { Context, Service, ServiceBroker } from "moleculer";
import { parseHosts } from "../../lib/bootstrap-hosts.ts";
import { isoMicros, systemClock } from "../../lib/clock.ts";
import { CorrosionError } from "../../lib/corrosion/failures.ts";
import { runtimeOf } from "../../lib/runtime.ts";
import { defineService } from "../../lib/service.ts";
import { isBackupId } from "./config/backups.ts";
import { type Change, type Progress, runJob } from "./config/job.ts";
import { RuntimeConfiguration } from "./config/node-configuration.ts";
import type { AgentStatus, ApplyResult, ConfigJob, NodeConfiguration, RestartOutcome } from "./contract.ts";
import { type UpdateMeta, unlessReserved } from "./coordinator/reserved.ts";

interface Wait {
  readonly wait?: boolean;
}

interface ApplyBootstrap extends Wait {
  readonly hosts: string | readonly string[];
}

interface Rollback extends Wait {
  readonly backup_id?: string | null;
}

type ConfigService = Service & {
  file: RuntimeConfiguration;
  /** The newest job; null before the first one. */
  newest: ConfigJob | null;
  /** The job under way. */
  current: Promise<void> | null;
};

const wait = { type: "boolean", optional: true } as const;

export default defineService<ConfigService>({
  name: "corrosion.config",

  actions: {
    /** `NodeConfiguration`, read from the disk at each call. */
    get: {
      params: {},
      async handler(this: ConfigService): Promise<NodeConfiguration> {
        const [seen, agent] = await Promise.all([this.file.look(), agentOf(this)]);
        const { mode } = runtimeOf(this.broker).config.console.agent;
        return {
          node_id: this.broker.nodeID,
          ...seen,
          // What may lie here from another time says nothing of an agent that others run.
          ...(mode === "external" && { toml: null, hosts: [], problem: null }),
          editable: agent.managed,
          reason: agent.managed ? null : NOT_EDITABLE,
        };
      },
    },

    /** `{hosts, wait?}` -> `ConfigJob`. Throws `invalid_request` with a sentence for each bad host, `busy`, `agent_not_managed`. */
    applyBootstrap: {
      params: { hosts: [{ type: "string" }, { type: "array", items: "string" }], wait },
      async handler(this: ConfigService, ctx: Context<ApplyBootstrap, UpdateMeta>): Promise<ApplyResult> {
        const parsed = parseHosts(ctx.params.hosts);
        if (parsed.kind === "refused") {
          const { problems } = parsed;
          throw new CorrosionError("invalid_request", Object.values(problems).join(" "), {
            fields: problems,
          });
        }
        const { hosts } = parsed;
        const change = async (current: string | null) => this.file.withBootstrap(current, hosts);
        return startJob(this, ctx, { kind: "bootstrap", hosts, change });
      },
    },

    /** `{backup_id?, wait?}` -> `ConfigJob`. Throws `invalid_request`, `not_found`, `busy`, `agent_not_managed`. */
    rollback: {
      params: { backup_id: { type: "string", optional: true, nullable: true }, wait },
      async handler(this: ConfigService, ctx: Context<Rollback, UpdateMeta>): Promise<ApplyResult> {
        const id = ctx.params.backup_id ?? null;
        if (id !== null && !isBackupId(id)) {
          const problem = "backup_id is none of the ids that the list of backups has.";
          throw new CorrosionError("invalid_request", problem, { fields: { backup_id: problem } });
        }
        if (id !== null && !(await this.file.has(id))) {
          throw new CorrosionError("not_found", `There is no backup ${id}.`);
        }
        const change = (current: string | null) => this.file.fromBackup(current, id);
        return startJob(this, ctx, { kind: "rollback", hosts: [], change });
      },
    },

    /** `{wait?}` -> `ConfigJob`. Throws `busy`, `agent_not_managed`. */
    restoreCanonical: {
      params: { wait },
      handler(this: ConfigService, ctx: Context<Wait, UpdateMeta>): Promise<ApplyResult> {
        const change = () => this.file.fromKnownGood();
        return startJob(this, ctx, { kind: "restore_canonical", hosts: [], change });
      },
    },

    /** The newest `ConfigJob`; null when there was none since the node started. */
    job: {
      params: {},
      handler(this: ConfigService): ConfigJob | null {
        return this.newest;
      },
    },
  },

  created(this: ConfigService) {
    this.file = new RuntimeConfiguration(runtimeOf(this.broker).config.console);
    this.newest = null;
    this.current = null;
  },

  async started(this: ConfigService) {
    // An agent of somebody else runs on a file of theirs.
    if (runtimeOf(this.broker).config.console.agent.mode === "external") return;
    try {
      await this.file.prepare();
    } catch (error) {
      // The node serves all the same, and the agent says what it lacks.
      this.logger.error("the agent's configuration cannot be written", {
        file: this.file.path,
        error: String(error),
      });
    }
  },

  async stopped(this: ConfigService) {
    await this.current;
  },
});

const NOT_EDITABLE =
  "The Corrosion agent of this node is run by somebody else: change its configuration where it runs.";

function agentOf({ broker }: ConfigService): Promise<AgentStatus> {
  return broker.call<AgentStatus, object>("corrosion.agent.status", {}, { nodeID: broker.nodeID });
}

interface WantedJob extends Pick<ConfigJob, "kind" | "hosts"> {
  readonly change: (current: string | null) => Promise<Change>;
}

/** Starts a job and returns it as it is then, with `wait` as it is in the end. */
async function startJob(
  service: ConfigService,
  ctx: Context<Wait, UpdateMeta>,
  { kind, hosts, change }: WantedJob,
): Promise<ConfigJob> {
  const { broker, file } = service;
  await unlessReserved(ctx);
  const { managed } = await agentOf(service);
  if (!managed) throw new CorrosionError("agent_not_managed", NOT_EDITABLE);
  if (service.current !== null) {
    throw new CorrosionError(
      "busy",
      "Another change of the configuration is under way: wait until it is over.",
    );
  }
  const started_at = isoMicros(systemClock());
  let job: ConfigJob = {
    node_id: broker.nodeID,
    job_id: randomUUID(),
    kind,
    state: "validating",
    message: "",
    hosts,
    backup_id: null,
    started_at,
    timestamp: started_at,
  };
  const tell = (progress: Progress) => {
    job = { ...job, ...progress, timestamp: isoMicros(systemClock()) };
    service.newest = job;
    broker.broadcastLocal("config_job", job).catch((error: unknown) => {
      service.logger.warn("an event of a job was not delivered", { error: String(error) });
    });
  };
  service.current = runJob({
    current: () => file.read(),
    change,
    backUp: (text) => file.backUp(text),
    write: (text) => file.write(text),
    restart: () => restartOnIt(broker, ctx.meta),
    tell,
  }).finally(() => {
    service.current = null;
    const { job_id, state, message } = job;
    service.logger.info("configuration job over", { job: job_id, kind, state, message });
  });
  if (ctx.params.wait) await service.current;
  return job;
}

/** A restart that was under way already may have read the file before it was written. */
async function restartOnIt(broker: ServiceBroker, { cluster_update }: UpdateMeta): Promise<RestartOutcome> {
  const options = { nodeID: broker.nodeID, meta: cluster_update === undefined ? {} : { cluster_update } };
  const restart = () =>
    broker.call<RestartOutcome, object>("corrosion.agent.restart", { wait: true }, options);
  let outcome = await restart();
  while (outcome.joined) outcome = await restart();
  return outcome;
}
