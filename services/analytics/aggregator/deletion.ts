/** @module Removes what was recorded of an experiment, or of all, from every node that can be reached. */
import type { ServiceBroker } from "moleculer";
import { CorrosionError } from "../../../lib/corrosion/failures.ts";
import type { DeletedOn } from "../contract.ts";
import { checkRunId } from "../run-id.ts";
import { currentRuns } from "./begin.ts";
import { analyticsNodes, askAll } from "./nodes.ts";

/** `experimentId` undefined: all. Throws `invalid_request`, and `busy` while one of them runs. */
export async function deleteEverywhere(broker: ServiceBroker, experimentId: unknown): Promise<DeletedOn> {
  const id = experimentId === undefined ? null : checkRunId(experimentId);
  const on = (await currentRuns(broker)).find(({ run }) => id === null || run.id === id);
  if (on) {
    throw new CorrosionError(
      "busy",
      `Experiment ${on.run.id} is on: stop it, or wait for its end, before you delete it.`,
    );
  }
  const { missing, reporting } = await askAll(broker, analyticsNodes(broker), (node) => node.delete(id));
  return { ...(id !== null && { experiment_id: id }), deleted_on: reporting, unreachable: missing };
}
