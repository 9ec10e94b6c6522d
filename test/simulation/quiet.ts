/** @module A logger and metrics for simulated parts: nobody reads either. */
import { ServiceBroker } from "moleculer";
import { Registry } from "prom-client";
import { RaftMetrics } from "../../services/raft/metrics.ts";

export const quietLogger = new ServiceBroker({ logger: false }).logger;

export const quietMetrics = new RaftMetrics(new Registry(), () => ({
  replicas: [],
  residentSessions: 0,
  hotBytes: 0,
  archiveLagSeconds: 0,
  pendingMessages: 0,
  stalledGroups: 0,
  haltedGroups: 0,
  engine: null,
}));
