/** @module Starts one node: a broker with every service that a node runs. */
import { type BrokerOptions, ServiceBroker } from "moleculer";
import type { Config } from "../lib/config.ts";
import { type BrokerEnvironment, brokerOptions } from "../moleculer.config.ts";
import diagnosis from "../services/acks/diagnosis.service.ts";
import ackDrill from "../services/acks/drill.service.ts";
import ackMessages from "../services/acks/messages.service.ts";
import ackSender from "../services/acks/sender.service.ts";
import ackTracker from "../services/acks/tracker.service.ts";
import aggregator from "../services/analytics/aggregator.service.ts";
import systemMetrics from "../services/analytics/metrics.service.ts";
import analyticsStore from "../services/analytics/store.service.ts";
import archive from "../services/conversations/archive.service.ts";
import messages from "../services/conversations/messages.service.ts";
import sessions from "../services/conversations/sessions.service.ts";
import agent from "../services/corrosion/agent.service.ts";
import corrosionConfig from "../services/corrosion/config.service.ts";
import coordinator from "../services/corrosion/coordinator.service.ts";
import discovery from "../services/corrosion/discovery.service.ts";
import identity from "../services/corrosion/identity.service.ts";
import members from "../services/corrosion/members.service.ts";
import nodeFacts from "../services/corrosion/node.service.ts";
import query from "../services/corrosion/query.service.ts";
import subscriber from "../services/corrosion/subscriber.service.ts";
import ackGateway from "../services/gateway/ack-gateway.service.ts";
import gateway from "../services/gateway/gateway.service.ts";
import ops from "../services/raft/ops.service.ts";
import topology from "../services/raft/topology.service.ts";

const FLEET = [topology, ops, archive, sessions, messages];
/** The configuration first: it writes the file that the agent starts with. */
const CORROSION = [
  corrosionConfig,
  agent,
  subscriber,
  members,
  discovery,
  identity,
  coordinator,
  analyticsStore,
  query,
];
const PROPAGATION = [ackTracker, ackMessages, ackSender, ackDrill, diagnosis, ackGateway];
const EXPERIMENTS = [systemMetrics, aggregator];

/** A broker with the services of a node, not started yet. */
export function createNode(config: Config, environment: BrokerEnvironment): ServiceBroker {
  const options: BrokerOptions = brokerOptions(config, environment);
  const broker = new ServiceBroker(options);
  const corrosion = config.console.agent.mode === "off" ? [] : [...CORROSION, ...PROPAGATION, ...EXPERIMENTS];
  for (const schema of [...FLEET, ...corrosion, nodeFacts, gateway]) broker.createService(schema);
  return broker;
}
