/** @module What the corrosion room offers on the bus. Every call but the coordinator's is for the caller's own node. */
export type * from "./contract/agent.ts";
export type * from "./contract/config.ts";
export type * from "./contract/coordinator.ts";
export type * from "./contract/discovery.ts";
export type * from "./contract/identity.ts";
export type * from "./contract/members.ts";
export type * from "./contract/node.ts";
export type * from "./contract/query.ts";
export type * from "./contract/subscriber.ts";
