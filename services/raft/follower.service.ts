/** @module The actor that follows one group on one node: shows the hot copy that is ready to lead. */
import type { ServiceSchema } from "moleculer";
import { groupName } from "../../lib/ids.ts";
import type { Follower } from "./follower.ts";

/** The service of a follower; it exists for as long as the copy does. Call it with the node's id. */
export function followerService(group: number, follower: Follower): ServiceSchema {
  return {
    name: `raft.${groupName(group)}.follower`,

    actions: {
      applied: {
        params: {},
        handler: () => ({ applied: follower.state.applied, problem: follower.problem }),
      },
    },
  };
}
