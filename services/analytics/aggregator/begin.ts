/** @module The beginning and the end of a run in the whole cluster: one at a time, whichever node is asked. */
import type { ServiceBroker } from "moleculer";
import { CorrosionError } from "../../../lib/corrosion/failures.ts";
import type { ClaimAnswer, CurrentRun, ExperimentRow, RunParameters } from "../contract.ts";
import type { ClaimKey } from "./claims.ts";
import { analyticsNodes, askAll, NodeCalls, presentNodes } from "./nodes.ts";
import type { RunRequest } from "./parameters.ts";

export interface BeginEnvironment {
  readonly broker: ServiceBroker;
  /** Microseconds since 1970. */
  readonly now: () => number;
  /** Begins the run on this node, and waits until its row is in the file. Returns whether it could begin. */
  readonly lead: (run: ExperimentRow) => Promise<boolean>;
  /** Tells all nodes that a run is over whose owner cannot say so. */
  readonly tellEnd: (run: ExperimentRow) => void;
}

/** Starts a run that this node leads. Throws `busy` when one is on, or begins, elsewhere. */
export async function begin(env: BeginEnvironment, request: RunRequest): Promise<ExperimentRow> {
  const { broker } = env;
  const ended = request.replace ? await endCurrent(env) : null;
  const nodes = presentNodes(broker).map((id) => new NodeCalls(broker, id));
  const key: ClaimKey = { experiment_id: request.parameters.experiment_id, owner_node: broker.nodeID };
  const claimed = await claimAll(broker, nodes, { ...key, replaces: ended?.id ?? null });
  try {
    const expected_nodes = claimed.map(({ id }) => id);
    const run = newRun(request.parameters, {
      owner_node: broker.nodeID,
      expected_nodes,
      run_count: (await runsBefore(broker, key.experiment_id)) + 1,
      started_at: env.now(),
    });
    if (!(await env.lead(run)))
      throw new CorrosionError("busy", `Node ${broker.nodeID} is in another run by now.`);
    return run;
  } finally {
    await releaseAll(broker, claimed, key);
  }
}

/**
 * Ends whatever run is on in the cluster, led by whom it may be. Returns it as it ended; null: there was none. A run
 * whose owner cannot be asked ends as interrupted.
 */
export async function endCurrent(env: BeginEnvironment): Promise<ExperimentRow | null> {
  const { broker } = env;
  const current = await currentRuns(broker);
  const ended = await Promise.all(current.map(({ run }) => endOne(env, run)));
  return ended[0] ?? null;
}

/** Runs that some node is in, each once. */
export async function currentRuns(broker: ServiceBroker): Promise<CurrentRun[]> {
  const { answers } = await askAll(broker, analyticsNodes(broker), (node) => node.current());
  const runs = new Map<string, CurrentRun>();
  for (const { value } of answers) {
    if (value === null) continue;
    const key = JSON.stringify([value.run.id, value.run.owner_node]);
    // Its owner knows it best.
    if (!runs.has(key) || value.role === "leading") runs.set(key, value);
  }
  return [...runs.values()].sort((a, b) => (a.role === b.role ? 0 : a.role === "leading" ? -1 : 1));
}

async function endOne(env: BeginEnvironment, run: ExperimentRow): Promise<ExperimentRow> {
  const finished = await new NodeCalls(env.broker, run.owner_node).finish(run.id).catch((error: unknown) => {
    env.broker.logger.info("the owner of a run does not answer", {
      experiment: run.id,
      node: run.owner_node,
      error: String(error),
    });
    return null;
  });
  if (finished) return finished;
  const ended: ExperimentRow = {
    ...run,
    status: "interrupted",
    ended_at: env.now(),
    error: `It was ended while its owner ${run.owner_node} could not be asked.`,
  };
  env.tellEnd(ended);
  return ended;
}

/**
 * Claims every node, in the order of their ids, so that of two starts at a time one wins and the other one is refused
 * at the first node that both ask. Nodes that do not answer take no part.
 */
async function claimAll(
  broker: ServiceBroker,
  nodes: readonly NodeCalls[],
  wanted: ClaimKey & { readonly replaces: string | null },
): Promise<NodeCalls[]> {
  const claimed: NodeCalls[] = [];
  for (const node of nodes) {
    const answer = await node.claim(wanted).catch((error: unknown): ClaimAnswer | null => {
      broker.logger.warn("a node takes no part in a run", { node: node.id, error: String(error) });
      return null;
    });
    if (answer === null) continue;
    if (!answer.granted) {
      await releaseAll(broker, claimed, wanted);
      throw new CorrosionError("busy", refusal(answer.holder));
    }
    claimed.push(node);
  }
  return claimed;
}

function refusal(holder: ClaimAnswer["holder"]): string {
  const which = holder ? `${holder.experiment_id}, led by ${holder.owner_node},` : "Another experiment";
  return `Experiment ${which} is on, and only one can be: stop it first, or start with "replace": true.`;
}

async function releaseAll(broker: ServiceBroker, nodes: readonly NodeCalls[], key: ClaimKey): Promise<void> {
  await Promise.all(
    nodes.map((node) =>
      node.release(key).catch((error: unknown) => {
        // It lapses by itself.
        broker.logger.debug("a claim was not given back", { node: node.id, error: String(error) });
      }),
    ),
  );
}

/** How often the experiment ran, as far as any node knows. */
async function runsBefore(broker: ServiceBroker, id: string): Promise<number> {
  const { answers } = await askAll(broker, analyticsNodes(broker), (node) => node.experiments(id));
  const counts = answers.flatMap(({ value }) => value.map(({ experiment }) => experiment?.run_count ?? 0));
  return Math.max(0, ...counts);
}

type Circumstances = Pick<ExperimentRow, "owner_node" | "expected_nodes" | "run_count" | "started_at">;

function newRun({ experiment_id, ...parameters }: RunParameters, given: Circumstances): ExperimentRow {
  return {
    id: experiment_id,
    status: "running",
    ...parameters,
    ...given,
    sent_count: 0,
    failed_count: 0,
    ended_at: null,
    error: null,
  };
}
