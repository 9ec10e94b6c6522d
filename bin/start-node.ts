/** @module Starts one node: a broker with every service that a node runs. */
import { type BrokerOptions, ServiceBroker } from "moleculer";
import type { Config } from "../lib/config.ts";
import { type BrokerEnvironment, brokerOptions } from "../moleculer.config.ts";
import archive from "../services/conversations/archive.service.ts";
import messages from "../services/conversations/messages.service.ts";
import sessions from "../services/conversations/sessions.service.ts";
import gateway from "../services/gateway/gateway.service.ts";
import ops from "../services/raft/ops.service.ts";
import topology from "../services/raft/topology.service.ts";

/** A broker with the services of a node, not started yet. */
export function createNode(config: Config, environment: BrokerEnvironment): ServiceBroker {
  const options: BrokerOptions = brokerOptions(config, environment);
  const broker = new ServiceBroker(options);
  for (const schema of [topology, ops, archive, sessions, messages, gateway]) broker.createService(schema);
  return broker;
}
