/** @module The actor that leads one group: the service that the registry routes a group's calls to. */
import type { Context, ServiceSchema } from "moleculer";
import { groupName } from "../../lib/ids.ts";
import type {
  GetResident,
  GroupHeads,
  GroupHeadsResult,
  Propose,
  Proposed,
  ReadMessages,
  ReadMessagesResult,
} from "./contract.ts";
import type { LeaderDriver } from "./leader-driver.ts";
import { sessionView } from "./views.ts";

/** Name of the service that leads a group, wherever that is. */
export function leaderServiceName(group: number): string {
  return `raft.${groupName(group)}`;
}

/** The service of a leader that has claimed its group; it exists for exactly as long as it leads. */
export function leaderService(leader: LeaderDriver): ServiceSchema {
  return {
    name: leaderServiceName(leader.group),

    actions: {
      propose: {
        params: { commands: { type: "array", items: "object" } },
        async handler(ctx: Context<Propose>): Promise<Proposed> {
          return { results: await leader.propose(ctx.params.commands) };
        },
      },

      session: {
        params: { id: "string" },
        async handler(ctx: Context<GetResident>) {
          const session = await leader.reader.session(ctx.params.id);
          return session ? sessionView(session) : null;
        },
      },

      messages: {
        params: {
          session: "string",
          after: { type: "number", optional: true },
          before: { type: "number", optional: true },
          limit: "number",
          max_bytes: "number",
        },
        async handler(ctx: Context<ReadMessages>): Promise<ReadMessagesResult> {
          const { session, after, before, limit, max_bytes } = ctx.params;
          const page = before === undefined ? { after: after ?? 0 } : { before };
          return leader.reader.messages(session, page, limit, max_bytes);
        },
      },

      heads: {
        params: { ids: { type: "array", items: "string" } },
        async handler(ctx: Context<GroupHeads>): Promise<GroupHeadsResult> {
          const last_seqs = await leader.reader.heads(ctx.params.ids);
          return { epoch: leader.state.epoch, last_seqs };
        },
      },
    },
  };
}
