/** @module The faults: each strikes the ground, and returns what undoes it. */
import type { Ground } from "./ground.ts";

/** Servers that sync every write recover slowly on a disk that others write to. */
const RECOVERY_MS = 150_000;

export type Heal = () => Promise<void>;

export interface Fault {
  readonly name: string;
  readonly of: "node" | "nats" | "postgres" | "everything";
  /** Does the harm to victims that the ground's seed chooses. */
  strike(ground: Ground): Promise<Heal>;
}

const killLeader: Fault = {
  name: "a leading node is killed",
  of: "node",
  async strike(ground) {
    const { id, program } = await ground.someLeader();
    ground.struck.set(id, "killed");
    ground.note(`SIGKILL to node ${id}`);
    await program.end("SIGKILL");
    return async () => {
      ground.note(`node ${id} starts again`);
      await ground.cluster.startNode(id, {}, RECOVERY_MS);
      ground.struck.delete(id);
    };
  },
};

const sleepLeader: Fault = {
  name: "a leading node sleeps",
  of: "node",
  async strike(ground) {
    const { id, program } = await ground.someLeader();
    ground.struck.set(id, "asleep");
    ground.note(`SIGSTOP to node ${id}`);
    program.signal("SIGSTOP");
    return async () => {
      ground.note(`node ${id} wakes`);
      program.signal("SIGCONT");
      ground.struck.delete(id);
    };
  },
};

/** A cut-off node: every packet is lost, or every connection refused. */
function cutNode(how: "freeze" | "sever"): Fault {
  return {
    name: how === "freeze" ? "a leading node's network loses every packet" : "a leading node is cut off",
    of: "node",
    async strike(ground) {
      const { id } = await ground.someLeader();
      ground.struck.set(id, "cut off");
      ground.note(`${how} the network of node ${id}`);
      ground.cluster.cut(id, how);
      return async () => {
        ground.note(`the network of node ${id} works again`);
        ground.cluster.heal(id);
        ground.struck.delete(id);
      };
    },
  };
}

const killStreamLeader: Fault = {
  name: "a NATS server that leads a stream is killed",
  of: "nats",
  async strike(ground) {
    const server = await ground.someStreamLeader();
    ground.note(`SIGKILL to NATS server n${server}`);
    await ground.killServer(server);
    return async () => {
      ground.note(`NATS server n${server} starts again`);
      await ground.restartServers();
    };
  },
};

const stopPostgres: Fault = {
  name: "Postgres hangs",
  of: "postgres",
  async strike(ground) {
    ground.note("SIGSTOP to Postgres");
    await ground.postgres.pause();
    return async () => {
      ground.note("Postgres goes on");
      ground.postgres.resume();
    };
  },
};

const crashPostgres: Fault = {
  name: "Postgres is killed and started again",
  of: "postgres",
  async strike(ground) {
    ground.note("SIGKILL to Postgres");
    await ground.postgres.crash();
    return async () => undefined;
  },
};

const killEverything: Fault = {
  name: "everything is killed",
  of: "everything",
  async strike(ground) {
    const { cluster, postgres } = ground;
    ground.note("SIGKILL to all nodes, all NATS servers and Postgres");
    const ids = cluster.nodes.map(({ id }) => id);
    for (const id of ids) ground.struck.set(id, "killed");
    const crash = postgres.crash();
    await Promise.all([
      ...cluster.nodes.map(({ program }) => program.end("SIGKILL")),
      ground.killAllServers(),
    ]);
    await crash;
    return async () => {
      ground.note("everything starts again");
      await ground.restartServers();
      await Promise.all(ids.map((id) => cluster.startNode(id, {}, RECOVERY_MS)));
      ground.struck.clear();
    };
  },
};

export const faults = {
  killLeader,
  sleepLeader,
  freezeNode: cutNode("freeze"),
  severNode: cutNode("sever"),
  killStreamLeader,
  stopPostgres,
  crashPostgres,
  killEverything,
} as const;
